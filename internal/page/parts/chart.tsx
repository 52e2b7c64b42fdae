import { useEffect, useRef } from 'preact/hooks';
import type uPlot from 'uplot';
import type { History } from '../api/types.ts';
import { onThemeChange } from '../lib/theme.ts';
import { useSize } from '../lib/use-size.ts';
import type { Line } from './line.ts';

interface ChartProps {
  title: string;
  history: History;
  lines: readonly Line[];
  format(value: number): string;
}

const HEIGHT = 136;

/** Lines over the last hour. */
export function Chart({ title, history, lines, format }: ChartProps) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const { width } = useSize(frame);
  const latest = useRef({ history, lines });
  latest.current = { history, lines };
  const names = lines.map(({ name }) => name).join();
  useEffect(() => {
    const element = frame.current;
    if (element === null || width === 0) return;
    let isGone = false;
    const draw = async () => {
      const { makePlot } = await import('./plot.ts');
      if (isGone) return;
      plot.current?.destroy();
      const { history, lines } = latest.current;
      plot.current = makePlot(element, {
        width,
        height: HEIGHT,
        lines,
        format,
        data: dataOf(history, lines),
      });
    };
    void draw();
    const stop = onThemeChange(draw);
    return () => {
      isGone = true;
      stop();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [names, width]);
  useEffect(() => plot.current?.setData(dataOf(history, lines)), [history, lines]);
  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">{title}</span>
        {lines.map(({ name, series, colour }) => (
          <span key={name} class="chart-value">
            <span class={`chart-key chart-key-${colour}`} aria-hidden="true" />
            {name} <b>{formatted(lastOf(history.series[series]), format)}</b>
          </span>
        ))}
      </figcaption>
      <div ref={frame} class="chart-frame" role="img" aria-label={`${title}, last hour`} />
    </figure>
  );
}

function formatted(value: number | undefined, format: (value: number) => string): string {
  return value === undefined ? '–' : format(value);
}

function lastOf(values: readonly (number | null)[] | undefined): number | undefined {
  return values?.findLast((value) => value !== null) ?? undefined;
}

/** The hour up to now, also where the broker is younger. */
function dataOf({ times, series }: History, lines: readonly Line[]): uPlot.AlignedData {
  const seconds = times.map((ms) => ms / 1000);
  return [seconds, ...lines.map(({ series: name }) => [...(series[name] ?? seconds.map(() => null))])];
}
