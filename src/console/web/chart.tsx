import type { JSX } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { nearest, niceTicks, timeTicks, type ChartPoint, type ValueScale } from './chart_scale.js';
import { timeText } from './components/time.js';

/** A stretch of time under a name: drawn as a band below the line. */
export interface ChartBand {
  readonly fromMs: number;
  readonly toMs: number;
  readonly label: string;
  /** Name of a colour: `good`, `bad` or `neutral`. */
  readonly tone: string;
}

const HEIGHT = 260;
const EDGE = { left: 64, right: 14, top: 14, bands: 22, axis: 22 } as const;

/**
 * One metric over time with a threshold, and bands of states below. Whoever does not see it has its summary, and a table beside it.
 *
 * @param props.points - in order of time; a gap of more than `gapMs` between two of them is left open
 * @param props.scale - what values are shown as
 */
export function Chart(props: {
  readonly summary: string;
  readonly points: readonly ChartPoint[];
  readonly gapMs: number;
  readonly range: { readonly fromMs: number; readonly toMs: number };
  readonly threshold: { readonly value: number; readonly label: string };
  readonly bands: readonly ChartBand[];
  readonly scale: ValueScale;
}): JSX.Element {
  const { summary, points, gapMs, range, threshold, bands, scale } = props;
  const frame = useRef<HTMLDivElement>(null);
  const width = useWidth(frame);
  const [pointed, setPointed] = useState<ChartPoint | undefined>(undefined);
  const clipId = useId();
  const values = [...points.map(({ value }) => value), threshold.value].map((value) => value / scale.unit);
  const ticks = niceTicks(Math.min(...values), Math.max(...values));
  const bottom = HEIGHT - EDGE.bands - EDGE.axis;
  const [low, high] = [ticks[0] ?? 0, ticks.at(-1) ?? 1];
  const x = (ms: number): number =>
    EDGE.left + ((ms - range.fromMs) / (range.toMs - range.fromMs)) * (width - EDGE.left - EDGE.right);
  const y = (value: number): number => bottom - ((value / scale.unit - low) / (high - low)) * (bottom - EDGE.top);
  const point = ({ clientX }: PointerEvent): void => {
    const left = frame.current?.getBoundingClientRect().left ?? 0;
    const share = (clientX - left - EDGE.left) / (width - EDGE.left - EDGE.right);
    setPointed(nearest(points, range.fromMs + share * (range.toMs - range.fromMs)));
  };
  return (
    <div class="chart" ref={frame}>
      <svg
        role="img"
        aria-label={summary}
        width={width}
        height={HEIGHT}
        onPointerMove={point}
        onPointerLeave={() => setPointed(undefined)}
      >
        <clipPath id={clipId}>
          <rect x={EDGE.left} y={0} width={Math.max(0, width - EDGE.left - EDGE.right)} height={HEIGHT} />
        </clipPath>
        {ticks.map((tick) => (
          <g key={tick}>
            <line
              class="grid"
              x1={EDGE.left}
              x2={width - EDGE.right}
              y1={y(tick * scale.unit)}
              y2={y(tick * scale.unit)}
            />
            <text class="label" x={EDGE.left - 8} y={y(tick * scale.unit) + 4} text-anchor="end">
              {tick.toLocaleString('en')} {scale.name}
            </text>
          </g>
        ))}
        {timeTicks(range, Math.max(2, Math.floor(width / 85))).map(({ ms, text }) => (
          <g key={ms}>
            <line class="grid" x1={x(ms)} x2={x(ms)} y1={bottom} y2={bottom + EDGE.bands} />
            <text class="label" x={x(ms)} y={HEIGHT - 5} text-anchor="middle">
              {text}
            </text>
          </g>
        ))}
        <g clip-path={`url(#${clipId})`}>
          {bands.map(({ fromMs, toMs, label, tone }) => (
            <g key={`${fromMs} ${label}`}>
              <rect
                class={`band ${tone}`}
                x={x(fromMs)}
                y={bottom + 5}
                width={Math.max(2, x(toMs) - x(fromMs))}
                height={EDGE.bands - 6}
              />
              {x(toMs) - x(fromMs) > label.length * 7 && (
                <text class={`band-label ${tone}`} x={(x(fromMs) + x(toMs)) / 2} y={bottom + 17} text-anchor="middle">
                  {label}
                </text>
              )}
            </g>
          ))}
          <path class="series" d={linePath(points, gapMs, x, y)} />
        </g>
        <line
          class="threshold"
          x1={EDGE.left}
          x2={width - EDGE.right}
          y1={y(threshold.value)}
          y2={y(threshold.value)}
        />
        <text class="threshold-label" x={width - EDGE.right} y={y(threshold.value) - 5} text-anchor="end">
          {threshold.label}
        </text>
        {pointed !== undefined && (
          <g>
            <line class="pointer" x1={x(pointed.ms)} x2={x(pointed.ms)} y1={EDGE.top} y2={bottom} />
            <circle class="pointed" cx={x(pointed.ms)} cy={y(pointed.value)} r={4} />
          </g>
        )}
      </svg>
      <p class="chart-reading quiet" aria-hidden="true">
        {pointed === undefined ? '\u00A0' : `${timeText(pointed.ms)}: ${scale.text(pointed.value)}`}
      </p>
    </div>
  );
}

function useWidth(frame: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(640);
  useEffect(() => {
    if (frame.current === null) return undefined;
    const observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined) setWidth(Math.max(240, Math.floor(entry.contentRect.width)));
    });
    observer.observe(frame.current);
    return () => observer.disconnect();
  }, [frame]);
  return width;
}

function linePath(
  points: readonly ChartPoint[],
  gapMs: number,
  x: (ms: number) => number,
  y: (value: number) => number,
): string {
  return points
    .map(({ ms, value }, at) => {
      const before = points[at - 1];
      const isOpen = before === undefined || ms - before.ms > gapMs;
      const place = `${x(ms).toFixed(1)} ${y(value).toFixed(1)}`;
      // A point between two gaps is a dot: the ends of lines are round.
      return isOpen ? `M${place}h0` : `L${place}`;
    })
    .join('');
}
