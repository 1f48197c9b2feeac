import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';

/** Runs `ip` with these arguments. */
function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/**
 * Why network namespaces cannot be made here; undefined where they can.
 *
 * It is tried: a container may have root and `ip`, and be refused all the same.
 */
export function whyNoNamespaces(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  if (spawnSync('ip', ['-V']).status !== 0) return 'network namespaces need iproute2';
  try {
    SeparatedNetworks.make([]).close();
    return undefined;
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: Buffer };
    const reason = (stderr?.toString() ?? message).trim().split('\n')[0] ?? '';
    return `this machine refuses to make network namespaces: ${reason}`;
  }
}

/** Address that every other network reaches the middle by. @source RFC 5737, TEST-NET-3 */
const MIDDLE_ADDRESS = '203.0.113.1';

/**
 * Networks that do not reach one another, each with a cable to one in the middle, which forwards nothing.
 *
 * Nothing of this machine's own network is touched.
 */
export class SeparatedNetworks {
  readonly middleAddress = MIDDLE_ADDRESS;
  readonly #run = randomBytes(4).toString('hex');
  readonly #made: string[] = [];
  readonly #ends: readonly string[];

  private constructor(ends: readonly string[]) {
    this.#ends = ends;
  }

  /** @param ends - names of the networks besides the middle, at most 60 */
  static make(ends: readonly string[]): SeparatedNetworks {
    const networks = new SeparatedNetworks(ends);
    try {
      networks.#add('middle');
      ip('-n', networks.#namespace('middle'), 'address', 'add', `${MIDDLE_ADDRESS}/32`, 'dev', 'lo');
      for (const [index, end] of ends.entries()) networks.#connect(end, index);
      return networks;
    } catch (error) {
      networks.close();
      throw error;
    }
  }

  /** Address of a network's own end of its cable. @source RFC 5737, TEST-NET-1 */
  addressOf(end: string): string {
    return `192.0.2.${4 * this.#ends.indexOf(end) + 2}`;
  }

  /** What is put in front of a command so that it runs there; the process is the command's own. */
  within(network: string): readonly string[] {
    return ['ip', 'netns', 'exec', this.#namespace(network)];
  }

  /** Cuts or mends the cable between a network and the middle. */
  setLink(end: string, state: 'up' | 'down'): void {
    ip('-n', this.#namespace('middle'), 'link', 'set', cableOf(this.#ends.indexOf(end)), state);
  }

  /** Removes every namespace, and with them their cables; processes in them have to be gone. */
  close(): void {
    for (const namespace of this.#made.splice(0)) ip('netns', 'delete', namespace);
  }

  #add(network: string): void {
    const namespace = this.#namespace(network);
    ip('netns', 'add', namespace);
    this.#made.push(namespace);
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
  }

  #connect(end: string, index: number): void {
    const [middle, namespace] = [this.#namespace('middle'), this.#namespace(end)];
    const near = `192.0.2.${4 * index + 1}`;
    this.#add(end);
    ip('-n', middle, 'link', 'add', cableOf(index), 'type', 'veth', 'peer', 'name', 'cable', 'netns', namespace);
    ip('-n', middle, 'address', 'add', `${near}/30`, 'dev', cableOf(index));
    ip('-n', namespace, 'address', 'add', `${this.addressOf(end)}/30`, 'dev', 'cable');
    ip('-n', middle, 'link', 'set', cableOf(index), 'up');
    ip('-n', namespace, 'link', 'set', 'cable', 'up');
    ip('-n', namespace, 'route', 'add', MIDDLE_ADDRESS, 'via', near);
  }

  #namespace(network: string): string {
    return `keyferry-${this.#run}-${network}`;
  }
}

function cableOf(index: number): string {
  return `cable${index}`;
}
