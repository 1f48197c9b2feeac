import { expect } from 'chai';
import type { Command } from 'commander';
import { ConfigError } from '../../../src/errors.js';
import { LabError } from '../../../src/lab/errors.js';
import { buildCommandLine, exitStatusOf } from '../../../src/surfaces/cli/command_line.js';
import { errorDocument, table } from '../../../src/surfaces/cli/output.js';
import type { Programs } from '../../../src/surfaces/cli/programs.js';

const unused = (): Promise<never> => Promise.reject(new Error('no program runs here'));
const programs: Programs = {
  startRegion: unused,
  provisionRegion: unused,
  startProxy: unused,
  startFrontDoor: unused,
  startConsole: unused,
  openAuthority: unused,
  listTokens: unused,
  probeToken: unused,
  holdDatabases: unused,
};

describe('the command line', () => {
  const leaves = (command: Command): Command[] => [command, ...command.commands.flatMap(leaves)];

  it('gives every command a help with an example, and --json', async () => {
    const all = leaves(await buildCommandLine({ programs }));
    expect(all.length).to.be.greaterThan(18);
    for (const command of all) {
      let help = '';
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
      expect(help, command.name()).to.match(/\nExample:\n {2}\S/u);
      if (command.parent !== null) expect(help, command.name()).to.contain('--json');
    }
  });

  it('loads one command only where that is named, and all of them for a name that is none', async () => {
    expect((await buildCommandLine({ programs }, 'proxy')).commands.map((command) => command.name())).to.deep.equal([
      'proxy',
    ]);
    expect((await buildCommandLine({ programs }, 'constructor')).commands.length).to.be.greaterThan(8);
  });

  it('ends with a status of its own where a PIN was refused anywhere below, and where the configuration is wrong', () => {
    const refused = Object.assign(new ConfigError('ERR_CONFIG_PIN', 'no PIN'), {});
    expect(exitStatusOf(new LabError('ERR_LAB_PROGRAM', 'outer', { cause: refused }))).to.equal(77);
    expect(exitStatusOf(refused)).to.equal(77);
    expect(exitStatusOf(new ConfigError('ERR_CONFIG_FILE', 'bad'))).to.equal(78);
    expect(exitStatusOf(new LabError('ERR_LAB_STEP', 'bad'))).to.equal(1);
    expect(exitStatusOf(new LabError('ERR_LAB_INTERRUPTED', 'stopped'))).to.equal(130);
    expect(exitStatusOf(new TypeError('bug'))).to.equal(1);
  });

  it('ends with the status of the program that failed, where that was another one', () => {
    const inProgram = (code: string): LabError => new LabError('ERR_LAB_PROGRAM', 'it failed', { details: { code } });
    expect(exitStatusOf(inProgram('ERR_TOKEN_PIN_REFUSED'))).to.equal(77);
    expect(exitStatusOf(inProgram('ERR_CONFIG_PORT_BUSY'))).to.equal(78);
    expect(exitStatusOf(inProgram('ERR_TOKEN_MODULE_NOT_LOADED'))).to.equal(1);
  });
});

describe('what a command prints', () => {
  it('aligns columns by what is seen and not by what colours cost', () => {
    const red = (text: string): string => `\u001b[31m${text}\u001b[39m`;
    const text = table([
      ['A', 'LONG HEADER', 'C'],
      [red('abcd'), 'x', 'end'],
      ['é→', red('yy'), ''],
    ]);
    // eslint-disable-next-line no-control-regex
    expect(text.replace(/\u001b\[\d+m/gu, '').split('\n')).to.deep.equal([
      'A     LONG HEADER  C',
      'abcd  x            end',
      'é→    yy',
    ]);
  });

  it('names code, message and remedy of a failure, and says the remedy once only', () => {
    const error = new LabError('ERR_LAB_REQUEST', 'It does not answer', { remedy: 'start it' });
    expect(errorDocument(error)).to.deep.equal({
      code: 'ERR_LAB_REQUEST',
      message: 'It does not answer',
      remedy: 'start it',
      details: {},
    });
    const twice = new LabError('ERR_LAB_REQUEST', 'It does not answer: start it', { remedy: 'start it' });
    expect(errorDocument(twice).remedy).to.equal(null);
  });

  it('shows no stack of a failure that nobody foresaw', () => {
    const { code, message } = errorDocument(new TypeError('x is not a function'));
    expect([code, message]).to.deep.equal(['ERR_INTERNAL', 'x is not a function']);
  });
});
