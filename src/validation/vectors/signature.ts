/** A published example of ECDSA; hexadecimal. */
export interface EcdsaVector {
  readonly name: string;
  readonly message: string;
  readonly r: string;
  readonly s: string;
}

/** The key of {@link ecdsaVectors}: P-384. @source RFC 6979 appendix A.2.6 */
export const ecdsaKey = {
  privateValue: '6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d896d5724e4c70a825f872c9ea60d2edf5',
  point:
    '04ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc13' +
    '8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720',
} as const;

/** ECDSA with P-384 and SHA-384. @source RFC 6979 appendix A.2.6 */
export const ecdsaVectors: readonly EcdsaVector[] = [
  {
    name: 'RFC 6979 A.2.6, "sample"',
    message: 'sample',
    r: '94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46',
    s: '99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8',
  },
  {
    name: 'RFC 6979 A.2.6, "test"',
    message: 'test',
    r: '8203b63d3c853e8d77227fb377bcf7b7b772e97892a80f36ab775d509d7a5feb0542a7f0812998da8f1dd3ca3cf023db',
    s: 'ddd0760448d42d8a43af45af836fce4de8be06b485e9b61b827c2f13173923e06a739f040649a667bf3b828246baa5a5',
  },
];
