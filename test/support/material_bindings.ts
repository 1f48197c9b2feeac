/** What the material of a symmetric key is bound to. */
export const singleRegionBinding = {
  keyId: '1234abcd-12ab-34cd-56ef-1234567890ab',
  keySpec: 'SYMMETRIC_DEFAULT',
  keyUsage: 'ENCRYPT_DECRYPT',
  multiRegion: false,
  dataSuite: 'CBCDATA-GCM',
} as const;

/** The same of a multi-Region key. */
export const multiRegionBinding = {
  ...singleRegionBinding,
  keyId: 'mrk-1234abcd12ab34cd56ef1234567890ab',
  multiRegion: true,
} as const;
