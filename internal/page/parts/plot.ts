import uPlot from 'uplot';
import type { Line } from './line.ts';

interface PlotParts {
  width: number;
  height: number;
  lines: readonly Line[];
  data: uPlot.AlignedData;
  format(value: number): string;
}

const HOUR_S = 3_600;
const CHART_COLOURS = Array.from({ length: 6 }, (_, index) => `--chart-${index}`);

/** A plot in the colours of the page. */
export function makePlot(element: HTMLElement, { width, height, lines, data, format }: PlotParts): uPlot {
  const colour = coloursOf(element);
  const axis = {
    stroke: colour('--quiet'),
    font: `11px ${getComputedStyle(element).fontFamily}`,
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
  };
  return new uPlot(
    {
      ...{ width, height, padding: [8, 18, 0, 0] },
      legend: { show: false },
      cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
      scales: {
        x: { range: (_, _min, max) => [max - HOUR_S, max] },
        y: { range: (_, _min, max) => [0, max > 0 ? max * 1.1 : 1] },
      },
      axes: [
        { ...axis, size: 24, values: '{HH}:{mm}', space: 70 },
        { ...axis, size: 58, space: 36, values: (_, values) => values.map((value) => format(value)) },
      ],
      series: [
        {},
        ...lines.map(({ colour: number }) => ({
          stroke: colour(`--chart-${number}`),
          fill: lines.length === 1 && number === 0 ? colour('--chart-fill') : undefined,
          width: 1.6,
          points: { show: false },
          // Some are measured less often.
          spanGaps: true,
        })),
      ],
    },
    data,
    element,
  );
}

/** Colours of the page as a canvas takes them: the values of today's theme. */
function coloursOf(element: HTMLElement): (name: string) => string {
  const probe = element.appendChild(document.createElement('i'));
  probe.hidden = true;
  const values = new Map<string, string>();
  const style = getComputedStyle(probe);
  for (const name of ['--quiet', '--line', '--chart-fill', ...CHART_COLOURS]) {
    probe.style.color = `var(${name})`;
    values.set(name, style.color);
  }
  probe.remove();
  return (name) => values.get(name) ?? '';
}
