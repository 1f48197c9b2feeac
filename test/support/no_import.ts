import { ImportError } from '../../src/import/errors.js';
import type { ImportHsm, ImportTokens } from '../../src/kms/ports.js';

/** Import in a region that a test imports nothing into. */
export const NO_IMPORT: { readonly importHsm: ImportHsm; readonly importTokens: ImportTokens } = {
  importHsm: {
    refusalOfImport: () => 'This region imports nothing.',
    expectImports: () => undefined,
    generateImportKey: () => Promise.reject(new Error('this region imports nothing')),
    importMaterial: () => Promise.reject(new Error('this region imports nothing')),
  },
  importTokens: {
    issue: () => Promise.reject(new Error('this region imports nothing')),
    open: async () => new ImportError('ERR_IMPORT_TOKEN_FORM', 'this region imports nothing'),
  },
};
