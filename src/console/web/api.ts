/** A refusal: AWS's own name and text where a service refused, the console's where it did. */
export class Refusal extends Error {
  /** For example `AccessDeniedException`. */
  readonly code: string;
  readonly status: number;
  /** Empty where the service did not say. */
  readonly requestId: string;

  constructor(code: string, message: string, answer: { readonly status: number; readonly requestId: string }) {
    super(message);
    this.name = code;
    this.code = code;
    this.status = answer.status;
    this.requestId = answer.requestId;
  }
}

/** Services that the console speaks to. */
export type Service = 'kms' | 'cloudwatch' | 'cloudtrail';

/** What an answer in AWS JSON holds: times are seconds since the epoch, octets are base64. */
export type Answer = Readonly<Record<string, unknown>>;

/**
 * Calls an operation of AWS as the principal who is logged in.
 *
 * @throws {@link Refusal}
 */
export async function callAws<Result = Answer>(
  call: { readonly region: string; readonly service?: Service; readonly operation: string; readonly input?: object },
  signal?: AbortSignal,
): Promise<Result> {
  const path = `/api/${call.region}/${call.service ?? 'kms'}/${call.operation}`;
  return send<Result>('POST', path, { body: call.input ?? {}, signal });
}

/**
 * Asks about the laboratory itself, for operators only.
 *
 * @param path - for example `status`
 * @throws {@link Refusal}
 */
export function operate<Result = Answer>(
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  options: { readonly body?: object; readonly signal?: AbortSignal } = {},
): Promise<Result> {
  return send<Result>(method, `/api/operator/${path}`, {
    ...options,
    ...(method !== 'GET' && { body: options.body ?? {} }),
  });
}

/** Sends a request to the console. @throws {@link Refusal} */
export async function send<Result>(
  method: string,
  path: string,
  { body, signal }: { readonly body?: object | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<Result> {
  const response = await fetch(path, {
    method,
    headers: { 'x-keyferry-console': '1', ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal !== undefined && { signal }),
  }).catch((error: unknown) => {
    if (signal?.aborted === true) throw error;
    throw new Refusal('Unreachable', 'The console does not answer. Does the lab still run?', {
      status: 0,
      requestId: '',
    });
  });
  const requestId = response.headers.get('x-amzn-requestid') ?? '';
  const answer = parse(await response.text());
  if (response.ok) return answer as Result;
  const { __type: type, message, Message } = answer as { __type?: unknown; message?: unknown; Message?: unknown };
  const code =
    String(type ?? `Status ${response.status}`)
      .split('#')
      .at(-1) ?? '';
  if (code === 'ERR_CONSOLE_LOGIN') leave();
  throw new Refusal(code, String(message ?? Message ?? 'The service says no more.'), {
    status: response.status,
    requestId,
  });
}

let isLeaving = false;

/** Goes to the login page, once: a second navigation would break off the first, and its request with it. */
export function leave(): void {
  if (isLeaving) return;
  isLeaving = true;
  location.assign('/login');
}

function parse(text: string): unknown {
  try {
    return text === '' ? {} : JSON.parse(text);
  } catch {
    return {};
  }
}
