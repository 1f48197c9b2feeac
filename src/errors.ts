/** Values that may be shown with an error: names, sizes, identifiers. Never key octets, PINs or plaintext. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** What every error of Keyferry is built from. */
export interface ErrorFields {
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly retryable?: boolean;
  readonly details?: ErrorDetails;
  readonly cause?: unknown;
}

/**
 * Base of all errors that Keyferry raises about the world; its own bugs are assertions.
 *
 * `code` is a closed union of string literals in each subclass: callers switch on it and never read `message`.
 */
export abstract class KeyferryError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly retryable: boolean;
  readonly details: ErrorDetails;

  constructor(code: Code, message: string, fields: ErrorFields = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = new.target.name;
    this.code = code;
    this.retryable = fields.retryable ?? false;
    this.details = fields.details ?? {};
  }
}

/** Why Keyferry could not start; raised before anything has been started or changed. */
export type ConfigErrorCode =
  | 'ERR_CONFIG_FILE' // unreadable, not YAML, unknown member, wrong type: message carries file, line and column
  | 'ERR_CONFIG_PORT_BUSY'
  | 'ERR_CONFIG_PIN' // no PIN source, unreadable PIN file
  | 'ERR_CONFIG_STATE'; // the lab directory is in use, or of another lab

/** A configuration that cannot be started; `details` holds `file`, `line`, `column` where they are known. */
export class ConfigError extends KeyferryError<ConfigErrorCode> {}
