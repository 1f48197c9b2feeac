import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { WebhookTransport } from '../webhook_transport.js';

/** Posts notifications over HTTP and HTTPS. Every post has a connection of its own; what the receiver answers is not read. */
export class HttpWebhookTransport implements WebhookTransport {
  /** {@inheritDoc WebhookTransport.post} */
  post(url: string, message: Parameters<WebhookTransport['post']>[1]): Promise<number> {
    const { headers, body, signal } = message;
    const send = new URL(url).protocol === 'https:' ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const request = send(
        url,
        {
          method: 'POST',
          agent: false,
          signal,
          headers: { ...headers, 'content-length': Buffer.byteLength(body), 'user-agent': 'Keyferry' },
        },
        (response) => {
          // What comes after the status may be endless.
          response.destroy();
          resolve(response.statusCode ?? 0);
        },
      );
      request.on('error', reject);
      request.end(body);
    });
  }
}
