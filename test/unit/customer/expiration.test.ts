import { expect } from 'chai';
import { CeremonyError } from '../../../src/customer/errors.js';
import { expirationMembers, parseExpiration } from '../../../src/customer/expiration.js';
import { thrown } from '../../support/failure.js';

const issuedMs = Date.parse('2027-01-01T00:00:00Z');
const DAY_MS = 86_400_000;

describe('the expiration of an import', () => {
  it('has to be said, and in one way', () => {
    expect(thrown(CeremonyError, () => parseExpiration({})).message).to.contain('Nothing says');
    for (const said of [
      { validTo: '2027-01-02', doesNotExpire: true },
      { validTo: '2027-01-02', validFor: '1d' },
      { validFor: '1d', doesNotExpire: true },
    ]) {
      expect(thrown(CeremonyError, () => parseExpiration(said)).message).to.contain('two ways');
    }
  });

  it('is a time with a zone, a date or seconds, as KMS takes it: whole seconds', () => {
    for (const validTo of ['2027-01-02T00:00:00Z', '2027-01-02', '1798848000', '2027-01-02T02:00:00.999+02:00']) {
      expect(expirationMembers(parseExpiration({ validTo }), issuedMs), validTo).to.deep.equal({
        ExpirationModel: 'KEY_MATERIAL_EXPIRES',
        ValidTo: 1_798_848_000,
      });
    }
    for (const validTo of ['tomorrow', '2027-01-02T00:00:00', '2027-13-01', '1e9']) {
      expect(thrown(CeremonyError, () => parseExpiration({ validTo })).message, validTo).to.contain('no time');
    }
  });

  it('counts a duration from the endpoint’s time, not from this machine’s', () => {
    const members = expirationMembers(parseExpiration({ validFor: '30d' }), issuedMs);
    expect(members.ValidTo).to.equal((issuedMs + 30 * DAY_MS) / 1000);
    for (const validFor of ['0d', '366d', '5', '1w', '-1d']) {
      expect(() => parseExpiration({ validFor }), validFor).to.throw(CeremonyError);
    }
  });

  it('is refused where the endpoint is bound to refuse it', () => {
    const at = (validTo: string) => () => expirationMembers(parseExpiration({ validTo }), issuedMs);
    expect(thrown(CeremonyError, at('2027-01-01T00:00:00Z')).message).to.contain('past');
    expect(thrown(CeremonyError, at('2028-01-03')).message).to.contain('365 days');
    at('2028-01-01')();
  });

  it('is left out where the material does not expire', () => {
    const never = expirationMembers(parseExpiration({ doesNotExpire: true }), null);
    expect(never).to.deep.equal({ ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' });
  });
});
