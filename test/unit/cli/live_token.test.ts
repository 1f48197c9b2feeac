import { expect } from 'chai';
import { isMade, parseLiveToken, referenceTo } from '../../../src/surfaces/cli/live_token.js';
import { ValidationError } from '../../../src/validation/errors.js';
import { thrown } from '../../support/failure.js';

describe('a live token on the command line', () => {
  it('is made where it has neither label nor slot', () => {
    const made = parseLiveToken('soft=softhsm2');
    expect(made).to.deep.equal({ name: 'soft', token: { module: 'softhsm2' } });
    expect(isMade(made)).to.equal(true);
    expect(referenceTo(made, '/d')).to.deep.include({ initialiseAs: 'keyferry-interop' });
  });

  it('is found by label or slot, with a PIN from a file or a variable, and is never initialised', () => {
    const own = parseLiveToken('hsm=/opt/p11.so,slot=3,label=a=b,pin-environment=HSM_PIN');
    const pin = { environment: 'HSM_PIN' };
    expect(own).to.deep.equal({ name: 'hsm', token: { module: '/opt/p11.so', slot: 3, label: 'a=b', pin } });
    expect(isMade(own)).to.equal(false);
    expect(referenceTo(own, '/d')).to.deep.include({ initialiseAs: null, scratch: null });
  });

  it('may need parameters of its library and variables of its environment', () => {
    const text = "n=/p11.so,label=x,pin-file=/f,library-parameters=configdir='sql:/d' flags=a,environment.CONF=/c=d";
    const { token } = parseLiveToken(text);
    const settings = { libraryParameters: "configdir='sql:/d' flags=a", environment: { CONF: '/c=d' } };
    expect(token).to.deep.include(settings);
    expect(referenceTo({ name: 'n', token }, '/d').settings).to.deep.equal(settings);
  });

  it('is refused where something is missing, unknown or there twice', () => {
    for (const [text, why] of [
      ['softhsm2', 'which module'],
      ['=softhsm2', 'a name is'],
      ['a/b=softhsm2', 'a name is'],
      ['a=', 'which module'],
      ['a=/opt/p11.so', 'needs its label or its slot'],
      ['a=/opt/p11.so,label=x', 'needs pin-file'],
      ['a=softhsm2,pin-file=x', 'a PIN and a place of its own'],
      ['a=softhsm2,label=x,pin-file=f,environment.A-B=c', 'what is "environment.A-B=c"'],
      ['a=softhsm2,label=x,pin=1234', 'what is "pin=1234"'],
      ['a=softhsm2,label=x,label=y,pin-file=f', 'label is there twice'],
      ['a=softhsm2,slot=x,pin-file=f', 'whole number'],
    ] as const) {
      const error = thrown(ValidationError, () => parseLiveToken(text));
      expect([error.code, error.message].join(' '), text).to.contain('ERR_VALIDATION_REQUEST').and.contain(why);
    }
  });
});
