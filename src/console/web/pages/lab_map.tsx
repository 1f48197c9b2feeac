import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Tone } from '../components/status.js';
import type { LabStatus, RegionReport } from '../lab_status.js';
import { useTrace } from '../live.js';

/** A box of the map. */
interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const NARROW = '(max-width: 52rem)';
/** How long a link shows that something went over it, milliseconds. */
const PULSE_MS = 1200;

/** Whether the window is a small one. */
function useIsNarrow(): boolean {
  const [isNarrow, setNarrow] = useState(matchMedia(NARROW).matches);
  useEffect(() => {
    const media = matchMedia(NARROW);
    const listen = (): void => setNarrow(media.matches);
    media.addEventListener('change', listen);
    return () => media.removeEventListener('change', listen);
  }, []);
  return isNarrow;
}

/** Whether messages are crossing the proxy at this moment. */
function useIsActive(): boolean {
  const [at, setAt] = useState(0);
  useTrace(() => setAt(Date.now()));
  useEffect(() => {
    if (at === 0) return undefined;
    const timer = setTimeout(() => setAt(0), PULSE_MS);
    return () => clearTimeout(timer);
  }, [at]);
  return at !== 0;
}

/** The lab as a picture: front door, Regions with their tokens, proxy, and how each of them is. What it shows is said in the cards below it, too. */
export function LabMap({ status }: { readonly status: LabStatus }): JSX.Element {
  const isNarrow = useIsNarrow();
  const isActive = useIsActive();
  const names = Object.keys(status.regions);
  const layout = layoutOf(names.length, isNarrow);
  const { door, proxy, width, height } = layout;
  return (
    <svg
      class="lab-map"
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={describe(status)}
      width={width}
      height={height}
    >
      {names.map((name, at) => {
        const box = layout.regions[at] ?? door;
        const waiting = status.proxy.waiting?.[name]?.messages ?? 0;
        const isHeld = status.proxy.conduct?.hold.includes(name) === true;
        return (
          <g key={name}>
            <path class={`link ${toneOfRegion(status, name)}`} d={pathBetween(door, box, isNarrow)} />
            <path
              class={`link ${isHeld ? 'attention' : toneOfProgram(status, 'proxy')}${isActive ? ' active' : ''}`}
              d={pathBetween(box, proxy, isNarrow, true)}
            />
            <Region box={box} name={name} report={status.regions[name] ?? {}} tone={toneOfRegion(status, name)} />
            {waiting > 0 && (
              <text class="map-count" x={box.x + box.width / 2 + 8} y={box.y + box.height + 22}>
                {waiting} waiting
              </text>
            )}
          </g>
        );
      })}
      <Program box={door} title="Front door" tone={toneOfProgram(status, 'front-door')} line="routes by Region" />
      <Program box={proxy} title="Proxy" tone={toneOfProgram(status, 'proxy')} line={conductText(status)} />
    </svg>
  );
}

/** Boxes of 210 units in a row between front door and proxy; one below the other on a small window. */
function layoutOf(
  count: number,
  isNarrow: boolean,
): {
  readonly door: Box;
  readonly proxy: Box;
  readonly regions: readonly Box[];
  readonly width: number;
  readonly height: number;
} {
  const [boxWidth, boxHeight] = [216, 92];
  if (isNarrow) {
    const regions = Array.from({ length: count }, (_, at) => ({
      x: 52,
      y: 84 + at * (boxHeight + 20),
      width: boxWidth,
      height: boxHeight,
    }));
    const bottom = 84 + count * (boxHeight + 20);
    return {
      door: { x: 52, y: 8, width: boxWidth, height: 52 },
      proxy: { x: 52, y: bottom + 8, width: boxWidth, height: 52 },
      regions,
      width: 320,
      height: bottom + 68,
    };
  }
  const gap = 28;
  const width = Math.max(720, count * (boxWidth + gap) + gap);
  const begin = (width - count * (boxWidth + gap) + gap) / 2;
  const regions = Array.from({ length: count }, (_, at) => ({
    x: begin + at * (boxWidth + gap),
    y: 118,
    width: boxWidth,
    height: boxHeight,
  }));
  const middle = (width - boxWidth) / 2;
  return {
    door: { x: middle, y: 8, width: boxWidth, height: 54 },
    proxy: { x: middle, y: 266, width: boxWidth, height: 54 },
    regions,
    width,
    height: 328,
  };
}

/** From one box to another; on a small window around the boxes between them, on the right where `isRight`. */
function pathBetween(from: Box, to: Box, isNarrow: boolean, isRight = false): string {
  const middle = ({ x, width }: Box): number => x + width / 2;
  if (!isNarrow) {
    const [startY, endY] = [from.y + from.height, to.y];
    const half = (startY + endY) / 2;
    return `M${middle(from)} ${startY} C${middle(from)} ${half} ${middle(to)} ${half} ${middle(to)} ${endY}`;
  }
  const side = isRight ? from.x + from.width : from.x;
  const out = isRight ? side + 26 : side - 26;
  const [startY, endY] = [from.y + from.height / 2, to.y + to.height / 2];
  return `M${side} ${startY} H${out} V${endY} H${isRight ? to.x + to.width : to.x}`;
}

function Region(props: {
  readonly box: Box;
  readonly name: string;
  readonly report: RegionReport;
  readonly tone: Tone;
}): JSX.Element {
  const { box, name, report, tone } = props;
  const { hsm, replication } = report;
  const sessions = (replication?.outgoing.length ?? 0) + (replication?.incoming.length ?? 0);
  return (
    <g class={`map-box ${tone}`}>
      <rect x={box.x} y={box.y} width={box.width} height={box.height} rx="8" />
      <circle cx={box.x + 18} cy={box.y + 20} r="5" />
      <text class="map-title" x={box.x + 32} y={box.y + 25}>
        {name}
      </text>
      <rect class="map-token" x={box.x + 12} y={box.y + 40} width={box.width - 24} height="40" rx="5" />
      <text class="map-line" x={box.x + 22} y={box.y + 57}>
        {(hsm?.fingerprint ?? 'Token').split(' / ').slice(1, 2).join('') || 'Token'}: {hsm?.state ?? 'silent'}
      </text>
      <text class="map-line quiet" x={box.x + 22} y={box.y + 73}>
        {sessions === 0 ? 'no replication under way' : `${sessions} replicating`}
      </text>
    </g>
  );
}

function Program(props: {
  readonly box: Box;
  readonly title: string;
  readonly tone: Tone;
  readonly line: string;
}): JSX.Element {
  const { box, title, tone, line } = props;
  return (
    <g class={`map-box ${tone}`}>
      <rect x={box.x} y={box.y} width={box.width} height={box.height} rx="8" />
      <circle cx={box.x + 18} cy={box.y + 19} r="5" />
      <text class="map-title" x={box.x + 32} y={box.y + 24}>
        {title}
      </text>
      <text class="map-line quiet" x={box.x + 18} y={box.y + 43}>
        {line}
      </text>
    </g>
  );
}

function toneOfProgram({ programs }: LabStatus, name: string): Tone {
  const state = programs[name]?.state;
  if (state === 'running') return 'good';
  return state === 'starting' ? 'busy' : 'bad';
}

function toneOfRegion(status: LabStatus, name: string): Tone {
  const { hsm, replication } = status.regions[name] ?? {};
  if (toneOfProgram(status, `region ${name}`) !== 'good') return toneOfProgram(status, `region ${name}`);
  if (hsm?.state !== 'working') return 'bad';
  return replication?.state === 'RUNNING' ? 'good' : 'attention';
}

function conductText({ proxy }: LabStatus): string {
  const { hold = [], next = [] } = proxy.conduct ?? {};
  if (proxy.mode !== undefined && proxy.mode !== 'honest') return 'hostile';
  if (hold.length > 0) return `holds what goes to ${hold.length === 1 ? hold[0] : `${hold.length} Regions`}`;
  return next.length > 0 ? `will ${next[0]?.action ?? ''} the next message` : 'passes everything';
}

const HEALTH: Readonly<Record<Tone, string>> = {
  good: 'in order',
  busy: 'starting',
  attention: 'needs somebody',
  bad: 'not working',
  neutral: 'unknown',
};

/** What the picture shows, for those who do not see it. */
function describe(status: LabStatus): string {
  const regions = Object.keys(status.regions).map((name) => `${name} is ${HEALTH[toneOfRegion(status, name)]}`);
  return `Map of the lab. The front door is ${HEALTH[toneOfProgram(status, 'front-door')]} and leads to each Region. ${regions.join(', ')}; each has a token of its own. The proxy between the Regions is ${HEALTH[toneOfProgram(status, 'proxy')]} and ${conductText(status)}.`;
}
