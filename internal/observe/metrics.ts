import { Histogram } from './histogram.ts';
import {
  BUCKETS,
  type LabelsOf,
  METRICS,
  type MetricEntry,
  type MetricName,
  type MetricType,
  type NameOf,
} from './metric-table.ts';

/** A number that only grows. A plain field, so that counting costs an addition and nothing else. */
export class Counter {
  value = 0;
}

/** One metric with its values, as a page of metrics shows it. */
export interface Metric {
  name: MetricName;
  type: MetricType;
  help: string;
  /** One for each set of labels; one without labels where the metric has none. */
  samples: readonly Sample[];
  /** Where it is one: what its samples are made from. */
  histogram?: Histogram;
}

export interface Sample {
  /** What stands behind the name of the metric: `_bucket`, `_sum` and `_count` of a histogram. */
  suffix?: string;
  labels: Readonly<Record<string, string>>;
  value: number;
}

interface Series {
  /** As `code="taken-over"`; empty for none. */
  key: string;
  labels: Readonly<Record<string, string>>;
  read(): number;
  counter?: Counter;
}

/** The label of a counter that has one. */
type Labelled<N extends MetricName> = LabelsOf<N> extends undefined ? [] : [labels: LabelsOf<N>];

/**
 * The broker's counters and gauges in one place: each is described once, in {@link METRICS}, and read all together. Whoever
 * counts asks for a counter by its name and adds to it.
 */
export class Metrics {
  readonly #metrics = new Map<MetricName, Map<string, Series>>();
  readonly #histograms = new Map<MetricName, Histogram>();

  /** The counter of this name and of these labels: the same for everybody who asks. */
  counter<N extends NameOf<'counter'>>(name: N, ...labelled: Labelled<N>): Counter {
    const labels = labelled[0] ?? NO_LABELS;
    const key = keyOf(labels);
    const known = this.#seriesOf(name).get(key);
    if (known !== undefined) {
      if (known.counter === undefined) throw new Error(`${name} is counted elsewhere`);
      return known.counter;
    }
    const counter = new Counter();
    this.#add(name, { key, labels, counter, read: () => counter.value });
    return counter;
  }

  /** Says that a counter with labels is counted here, before there is a value of it. */
  counts(name: NameOf<'counter'>): void {
    this.#seriesOf(name);
  }

  /** A gauge, whose value is computed when somebody asks. */
  gauge<N extends NameOf<'gauge'>>(name: N, read: () => number, ...labelled: Labelled<N>): void {
    this.#addRead(name, read, labelled[0]);
  }

  /** A counter that somebody else keeps anyway, and which is asked when somebody wants to know. */
  countedElsewhere<N extends NameOf<'counter'>>(name: N, read: () => number, labels?: LabelsOf<N>): void {
    this.#addRead(name, read, labels);
  }

  /** Every metric that somebody counts, by name, with its values as they are now. */
  *read(): Generator<Metric> {
    for (const name of [...this.#metrics.keys()].sort()) {
      const { type, help }: MetricEntry = METRICS[name];
      const histogram = this.#histograms.get(name);
      if (histogram !== undefined) {
        yield { name, type, help, histogram, samples: [...samplesOf(histogram)] };
        continue;
      }
      const series = [...this.#metrics.get(name)!.values()];
      yield { name, type, help, samples: series.map(({ labels, read }) => ({ labels, value: read() })) };
    }
  }

  /** Every value by name, and by label where there is one: `disconnects_total{code="taken-over"}`; of a histogram its count. */
  snapshot(): Record<string, number> {
    const values: Record<string, number> = {};
    for (const [name, series] of this.#metrics) {
      const { isSummed }: MetricEntry = METRICS[name];
      if (isSummed) values[name] = this.sum(name);
      for (const { key, read } of series.values()) values[key === '' ? name : `${name}{${key}}`] = read();
    }
    return values;
  }

  /** The sum of a metric over all of its labels. */
  sum(name: MetricName): number {
    let sum = 0;
    for (const { read } of this.#metrics.get(name)?.values() ?? []) sum += read();
    return sum;
  }

  /** A value as it is now; NaN where nobody counts that. */
  value<N extends MetricName>(name: N, ...labelled: Labelled<N>): number {
    return (
      this.#metrics
        .get(name)
        ?.get(keyOf(labelled[0] ?? NO_LABELS))
        ?.read() ?? Number.NaN
    );
  }

  /** The histogram of this name. */
  histogram(name: NameOf<'histogram'>): Histogram {
    let histogram = this.#histograms.get(name);
    if (histogram === undefined) {
      const added = new Histogram(BUCKETS[name]);
      histogram = added;
      this.#histograms.set(name, added);
      this.#addRead(name, () => added.count);
    }
    return histogram;
  }

  #addRead(name: MetricName, read: () => number, labels: Series['labels'] = NO_LABELS): void {
    const key = keyOf(labels);
    if (this.#seriesOf(name).has(key)) throw new Error(`${name} is registered already`);
    this.#add(name, { key, labels, read });
  }

  #add(name: MetricName, series: Series): void {
    this.#seriesOf(name).set(series.key, series);
  }

  #seriesOf(name: MetricName): Map<string, Series> {
    let series = this.#metrics.get(name);
    if (series === undefined) {
      series = new Map();
      this.#metrics.set(name, series);
    }
    return series;
  }
}

function* samplesOf(histogram: Histogram): Generator<Sample> {
  for (const { atMost, count } of histogram.cumulated()) {
    const le = atMost === Number.POSITIVE_INFINITY ? '+Inf' : String(atMost);
    yield { suffix: '_bucket', labels: { le }, value: count };
  }
  yield { suffix: '_sum', labels: NO_LABELS, value: histogram.sum };
  yield { suffix: '_count', labels: NO_LABELS, value: histogram.count };
}

const NO_LABELS: Readonly<Record<string, string>> = {};

function keyOf(labels: Readonly<Record<string, string>>): string {
  let key = '';
  for (const name in labels) key += `${key === '' ? '' : ','}${name}="${labels[name]}"`;
  return key;
}
