import { InvalidArgumentError, type Command } from 'commander';
import type { ProxyStatus } from '../../lab/region_status.js';
import { CONDUCT_ACTIONS, type ConductOrder, type ConductSettings } from '../../proxy/conduct.js';
import { act, command, labCommand, repeated, type CommonOptions } from './command_context.js';
import { table, type Output } from './output.js';

type LabOptions = CommonOptions & { readonly dir: string };

type SetOptions = LabOptions & Partial<ConductSettings>;

/** `keyferry proxy conduct …`: what the proxy of a lab does to messages by hand. */
export function conductCommand(): Command {
  const target = command(
    'conduct',
    'what the proxy of a lab does to messages: hold them, or do something to the next one',
    'keyferry proxy conduct set --hold eu-west-1',
  );
  const show = labCommand(
    'show',
    'what the proxy does to messages, and how many wait there',
    'keyferry proxy conduct show',
  );
  const set = labCommand(
    'set',
    'change the conduct; what is left out is not done any more',
    'keyferry proxy conduct set --hold eu-west-1\nkeyferry proxy conduct set --next tamper:us-east-1 --next drop',
  )
    .option('--hold <region>', 'keep back what goes to this region; may be repeated', repeated)
    .option(
      '--next <action[:region]>',
      `${CONDUCT_ACTIONS.join(', ')}: once, the next message to this region, or to any; may be repeated`,
      orders,
    );
  const reset = labCommand('reset', 'let every message pass, those that are held too', 'keyferry proxy conduct reset');
  act<LabOptions>(show, ({ output, options }) => ask(output, options));
  act<SetOptions>(set, async ({ output, options }) => {
    const { hold = [], next = [] } = options;
    if (hold.length === 0 && next.length === 0) {
      set.error("error: say what is to be done, by --hold or --next; 'keyferry proxy conduct reset' lets all pass");
    }
    await ask(output, options, { hold, next });
  });
  act<LabOptions>(reset, ({ output, options }) => ask(output, options, { hold: [], next: [] }));
  for (const each of [show, set, reset]) target.addCommand(each);
  return target;
}

/** Collects orders: `drop`, or `drop:eu-west-1`. */
function orders(text: string, earlier: readonly ConductOrder[] = []): readonly ConductOrder[] {
  const [name, destination = null, ...more] = text.split(':');
  const action = CONDUCT_ACTIONS.find((known) => known === name);
  if (action === undefined || destination === '' || more.length > 0) {
    throw new InvalidArgumentError(
      `It is one of ${CONDUCT_ACTIONS.join(', ')}, and may name a region: drop:eu-west-1.`,
    );
  }
  return [...earlier, { action, destination }];
}

/**
 * Changes the conduct where one is given, and shows what the proxy says of itself then.
 *
 * @throws `LabError` `ERR_LAB_NOT_RUNNING`; `ERR_LAB_REQUEST` for a region that the lab has not, before the proxy is asked
 */
async function ask(output: Output, { dir }: LabOptions, conduct?: ConductSettings): Promise<void> {
  // The proxy itself is started by a command of this file's parent, and needs nothing of a lab.
  const [{ askAdmin }, { proxyStatusForm }, { requireRegion, runningLab }] = await Promise.all([
    import('../../lab/admin_client.js'),
    import('../../lab/region_status.js'),
    import('./running_lab.js'),
  ]);
  const { directory, state } = runningLab(dir);
  for (const region of conduct?.hold ?? []) requireRegion(state, region);
  for (const { destination } of conduct?.next ?? []) if (destination !== null) requireRegion(state, destination);
  const answer = await askAdmin(
    directory.adminSocket(),
    conduct === undefined ? { method: 'GET', path: '/status' } : { method: 'PUT', path: '/conduct', body: conduct },
  );
  const status = proxyStatusForm.parse(answer);
  const { mode, waiting, held } = status;
  output.result({ conduct: status.conduct, waiting, held, mode }, () => describe(status, state.regions));
}

function describe({ mode, conduct, waiting, held }: ProxyStatus, regions: readonly string[]): string {
  const rows = regions.map((region) => [
    region,
    conduct.hold.includes(region) ? 'held' : 'pass',
    String(waiting[region]?.messages ?? 0),
    String(held[region] ?? 0),
  ]);
  return [
    table([['TO', 'MESSAGES', 'WAITING', 'HELD'], ...rows]),
    ...conduct.next.map(({ action, destination }) => `${action} the next message to ${destination ?? 'any region'}`),
    // What happens by chance also happens to messages that pass.
    ...(mode === 'honest' ? [] : [`mode ${mode}`]),
  ].join('\n');
}
