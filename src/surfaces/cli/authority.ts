import { readFileSync } from 'node:fs';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { LabError } from '../../lab/errors.js';
import { askAdmin } from '../../lab/admin_client.js';
import { PartitionAuthority, readAuthority, readRosters } from '../../lab/authority.js';
import { planToken } from '../../lab/region_plan.js';
import { deliverRosters, type RosterDelivery } from '../../lab/roster_delivery.js';
import { StateDirectory } from '../../lab/state_directory.js';
import { pairsWithoutSuite } from '../../replication/compatibility.js';
import type { RosterChange } from '../../replication/authority.js';
import type { Roster } from '../../replication/roster.js';
import { REPLICATION_SUITES, type ReplicationSuite } from '../../wire/suite.js';
import { certifyCommand } from './authority_certify.js';
import { act, command, labCommand, type CommandContext, type CommonOptions } from './command_context.js';
import { table, type Output } from './output.js';
import { addTokenOptions, labTokenOf, type TokenOptions } from './token_options.js';

interface AuthorityOptions extends CommonOptions {
  readonly dir: string;
}

/** `keyferry authority …`: the partition authority, which says in rosters which RSKs belong to which region. */
export function authorityCommand(context: CommandContext): Command {
  const target = command(
    'authority',
    'the partition authority: it signs the rosters that say which RSKs belong to which region',
    'keyferry authority show',
  );
  const commands = [
    initCommand(context),
    challengeCommand(context),
    enrolCommand(context),
    rosterCommand(),
    showCommand(),
    certifyCommand(context),
    rotateCommand(context),
    keyCommand(context, 'revoke-rsk', 'revoke', 'revoke an RSK: nothing that it signed is accepted from now on'),
    keyCommand(
      context,
      'remove-rsk',
      'remove',
      'take a retiring RSK off the roster and destroy it in the region’s token',
    ),
  ];
  for (const each of commands) target.addCommand(each);
  return target;
}

function initCommand({ programs }: CommandContext): Command {
  const target = addTokenOptions(
    labCommand(
      'init',
      'make the authority’s token and key where they are missing, and print the key’s thumbprint',
      'keyferry authority init --partition aws',
    ),
  ).option('--partition <name>', 'name of the partition', partitionName, 'aws');
  return act<AuthorityOptions & TokenOptions & { readonly partition: string }>(target, async ({ output, options }) => {
    const directory = new StateDirectory(options.dir).authority;
    const token = planToken(labTokenOf(options), { directory, label: 'authority' });
    const authority = await PartitionAuthority.init(
      { directory, partition: options.partition, token },
      programs.openAuthority,
    );
    try {
      const { kid, partition } = authority;
      output.result({ partition, kid }, () => `partition ${partition}, authority key ${kid}`);
    } finally {
      await authority.close();
    }
  });
}

function challengeCommand(context: CommandContext): Command {
  const target = labCommand(
    'challenge',
    'give out a fresh challenge for each region that is to be enrolled',
    'keyferry authority challenge eu-west-1',
  ).argument('<regions...>', 'names of the regions');
  return act<AuthorityOptions>(target, ({ output, options, args }) =>
    withAuthority(context, options, async (authority) => {
      const challenges: Record<string, string> = {};
      for (const region of args) challenges[region] = await authority.challenge(region);
      output.result(challenges, () =>
        args.length === 1
          ? (challenges[args[0] ?? ''] ?? '')
          : table(Object.entries(challenges).map(([region, text]) => [region, text])),
      );
    }),
  );
}

function enrolCommand(context: CommandContext): Command {
  const target = labCommand(
    'enrol',
    'list regions in a new roster, by the enrolment requests that answer their challenges',
    'keyferry authority enrol eu-west-1=request.jws',
  )
    .argument(
      '[requests...]',
      'REGION=FILE; without any, a JSON object of requests by region is read from standard input',
    )
    .addOption(
      new Option('--suite-floor <suite>', 'weakest suite that these regions may use').choices(REPLICATION_SUITES),
    );
  return act<AuthorityOptions & { readonly suiteFloor?: ReplicationSuite }>(target, ({ output, options, args }) =>
    withAuthority(context, options, async (authority, directory) => {
      const requests =
        args.length === 0 ? requestsFrom(readFileSync(0, 'utf8')) : Object.fromEntries(args.map(requestFile));
      const roster = await authority.enrol(
        requests,
        options.suiteFloor === undefined ? {} : { suiteFloor: options.suiteFloor },
      );
      report(output, roster, await deliverRosters(directory, authority));
    }),
  );
}

function rosterCommand(): Command {
  const target = labCommand(
    'roster',
    'print the rosters, one compact JWS a line, oldest first, for a region on another machine',
    'keyferry authority roster > rosters.jws',
  ).option('--newest', 'the newest only');
  return act<AuthorityOptions & { readonly newest?: boolean }>(target, async ({ output, options }) => {
    const rosters = rostersOf(options.dir).map(({ compact }) => compact);
    const wanted = options.newest === true ? rosters.slice(-1) : rosters;
    output.result({ rosters: wanted }, () => wanted.join('\n'));
  });
}

function showCommand(): Command {
  const target = labCommand('show', 'show what the newest roster says', 'keyferry authority show');
  return act<AuthorityOptions>(target, async ({ output, options }) => {
    const roster = rostersOf(options.dir).at(-1);
    if (roster === undefined)
      throw new LabError('ERR_LAB_REQUEST', 'No region has been enrolled yet', { remedy: 'keyferry authority enrol' });
    output.result(rosterJson(roster), (colours) => describeRoster(roster, colours));
  });
}

function rotateCommand(context: CommandContext): Command {
  const target = labCommand(
    'rotate-rsk',
    'give a region a new RSK: made in its token, then pending, then active, and the old ones retiring',
    'keyferry authority rotate-rsk eu-west-1',
  )
    .alias('rotate')
    .argument('<region>', 'name of the region, which has to run');
  return act<AuthorityOptions>(target, ({ output, options, args }) =>
    withAuthority(context, options, async (authority, directory) => {
      const region = args[0] ?? '';
      const before = listed(authority, region).filter(({ state }) => state === 'active');
      const challenge = await authority.challenge(region);
      const { kid, enrolment } = (await askAdmin(directory.adminSocket(region), {
        method: 'POST',
        path: '/rsk',
        body: { challenge },
      })) as {
        kid: string;
        enrolment: string;
      };
      output.note(`${region} made RSK ${kid} in its token`);
      await step(`pending`, () => authority.enrol({ [region]: enrolment }));
      await step('active', () => authority.issue([{ change: 'activate-rsk', region, kid }]));
      const retire = before.map((key): RosterChange => ({ change: 'retire-rsk', region, kid: key.kid }));
      const roster = await authority.issue(retire);
      report(output, roster, await deliverRosters(directory, authority));

      // Each roster reaches the regions before the next one is made: an epoch that nobody has seen could not overlap the one before it.
      async function step(state: string, work: () => Promise<Roster>): Promise<void> {
        const { epoch } = await work();
        const deliveries = await deliverRosters(directory, authority);
        output.note(
          `epoch ${epoch}: RSK ${kid} is ${state}; ${deliveries.map(({ region: name, note }) => `${name} ${note}`).join(', ')}`,
        );
      }
    }),
  );
}

function keyCommand(
  context: CommandContext,
  name: 'revoke-rsk' | 'remove-rsk',
  alias: string,
  description: string,
): Command {
  const target = labCommand(name, description, `keyferry authority ${name} eu-west-1 KID`)
    .alias(alias)
    .argument('<region>', 'name of the region')
    .argument('<kid>', 'thumbprint of the RSK, or enough of its beginning; behind -- where it begins with a hyphen');
  return act<AuthorityOptions>(target, ({ output, options, args }) =>
    withAuthority(context, options, async (authority, directory) => {
      const [region = '', beginning = ''] = args;
      const matching = listed(authority, region).filter(({ kid }) => kid.startsWith(beginning));
      const [key] = matching;
      if (key === undefined || matching.length > 1) {
        throw new LabError('ERR_LAB_REQUEST', `${matching.length} RSKs of ${region} begin with ${beginning}`, {
          remedy: 'keyferry authority show',
        });
      }
      const roster = await authority.issue([{ change: name, region, kid: key.kid }]);
      const deliveries = await deliverRosters(directory, authority);
      if (name === 'remove-rsk')
        await askAdmin(directory.adminSocket(region), { method: 'DELETE', path: `/rsk/${key.kid}` });
      report(output, roster, deliveries);
    }),
  );
}

async function withAuthority(
  { programs }: CommandContext,
  options: AuthorityOptions,
  work: (authority: PartitionAuthority, directory: StateDirectory) => Promise<void>,
): Promise<void> {
  const directory = new StateDirectory(options.dir);
  const authority = await PartitionAuthority.open(directory.authority, programs.openAuthority);
  try {
    await work(authority, directory);
  } finally {
    await authority.close();
  }
}

function rostersOf(dir: string): readonly Roster[] {
  const directory = new StateDirectory(dir).authority;
  const authority = readAuthority(directory);
  if (authority === undefined) {
    throw new LabError('ERR_LAB_REQUEST', `${directory} holds no partition authority`, {
      remedy: 'keyferry authority init',
    });
  }
  return readRosters(directory, authority);
}

function listed(authority: PartitionAuthority, region: string): Roster['regions'][number]['rsk'] {
  const found = authority.roster?.regions.find((candidate) => candidate.region === region);
  if (found === undefined)
    throw new LabError('ERR_LAB_REQUEST', `The roster lists no region ${region}`, {
      remedy: 'keyferry authority show',
    });
  return found.rsk;
}

function report(output: Output, roster: Roster, deliveries: readonly RosterDelivery[]): void {
  const cannotReplicate = pairsWithoutSuite(roster);
  output.result({ ...rosterJson(roster), deliveries, cannotReplicate }, (colours) =>
    [
      describeRoster(roster, colours),
      '',
      ...deliveries.map(({ region, epoch, note }) => `${region}: ${epoch === null ? note : `epoch ${epoch}`}`),
      ...cannotReplicate.map((reason) => colours.yellow(`no replication: ${reason}`)),
    ].join('\n'),
  );
}

function rosterJson(roster: Roster): object {
  const { partition, hash, prevRosterHash, regions } = roster;
  return {
    partition,
    epoch: roster.epoch.toString(),
    hash,
    prevRosterHash,
    regions: regions.map((region) => ({
      ...region,
      rsk: region.rsk.map(({ kid, state, sinceEpoch }) => ({ kid, state, sinceEpoch: sinceEpoch.toString() })),
    })),
  };
}

function describeRoster(roster: Roster, colours: Output['colours']): string {
  const states = { active: colours.green, pending: colours.yellow, retiring: colours.yellow, revoked: colours.red };
  const rows = roster.regions.flatMap((region) =>
    region.rsk.map(({ kid, state, sinceEpoch }) => [
      region.region,
      kid,
      states[state](state),
      `${sinceEpoch}`,
      region.suites.join(' ') || 'none',
    ]),
  );
  return [
    `partition ${roster.partition}, epoch ${roster.epoch}`,
    '',
    table([['REGION', 'RSK', 'STATE', 'SINCE', 'SUITES'], ...rows]),
  ].join('\n');
}

function requestsFrom(text: string): Readonly<Record<string, string>> {
  try {
    const value: unknown = JSON.parse(text);
    if (
      typeof value === 'object' &&
      value !== null &&
      Object.values(value).every((request) => typeof request === 'string')
    ) {
      return value as Record<string, string>;
    }
  } catch {
    // Said below, together with the other ways to be wrong.
  }
  throw new LabError('ERR_LAB_REQUEST', 'Standard input is no JSON object of enrolment requests by region', {
    remedy: 'give REGION=FILE for each request',
  });
}

function requestFile(text: string): [string, string] {
  const [, region, file] = /^([^=]+)=(.+)$/u.exec(text) ?? [];
  if (region === undefined || file === undefined)
    throw new InvalidArgumentError(`${text} is not of the form REGION=FILE`);
  return [region, readFileSync(file, 'utf8').trim()];
}

function partitionName(text: string): string {
  if (!/^[a-z0-9-]{1,32}$/u.test(text))
    throw new InvalidArgumentError('A partition is 1 to 32 lower-case letters, digits and hyphens.');
  return text;
}
