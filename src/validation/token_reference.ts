import type { ModuleDialect } from '../token/dialect.js';
import type { ModuleSettings, TokenSelector } from '../token/module.js';
import type { PinSource } from '../token/native.js';
import type { SoftwareTokenKind } from '../token/token_directory.js';

/** The token that is validated, as every process of the run opens it; plain data. PINs are named by their source and never read here. */
export interface TokenReference {
  /** `softhsm2`, `nss` or the path of a library. */
  readonly module: string;
  readonly settings: ModuleSettings;
  /** Where the module departs from the standard; left out for one that does not. */
  readonly dialect?: ModuleDialect;
  readonly selector: TokenSelector;
  readonly userPin: PinSource;
  readonly soPin: PinSource | null;
  /** A software token in a directory of the run's own; null for a token of the user's. */
  readonly scratch: { readonly kind: SoftwareTokenKind; readonly directory: string } | null;
  /** Label under which a token that is not initialised is initialised first; null where that must not be done. */
  readonly initialiseAs: string | null;
}
