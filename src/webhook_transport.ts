/** Takes notifications to where they belong. */
export interface WebhookTransport {
  /**
   * Posts a notification; redirects are not followed.
   *
   * @returns the HTTP status
   * @throws whatever kept it from being answered
   */
  post(
    url: string,
    message: {
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string;
      readonly signal: AbortSignal;
    },
  ): Promise<number>;
}
