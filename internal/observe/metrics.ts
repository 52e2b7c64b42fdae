/** A number that only grows. A plain field, so that counting costs an addition and nothing else. */
export class Counter {
  value = 0;
}

/**
 * The broker's counters and gauges in one place: each is made once, by its name, and read all together.
 * Names follow Prometheus: a unit or `_total` at the end.
 */
export class Metrics {
  readonly #counters = new Map<string, { counter: Counter; help: string }>();
  readonly #gauges = new Map<string, { read: () => number; help: string }>();

  /** The counter of this name and label; made on first use. */
  counter(name: string, help: string, label?: { name: string; value: string }): Counter {
    const key = label === undefined ? name : `${name}{${label.name}="${label.value}"}`;
    let entry = this.#counters.get(key);
    if (entry === undefined) {
      entry = { counter: new Counter(), help };
      this.#counters.set(key, entry);
    }
    return entry.counter;
  }

  /** Adds a value that is computed when somebody asks. */
  gauge(name: string, help: string, read: () => number): void {
    this.#gauges.set(name, { read, help });
  }

  /** Every value by name, and by label where there is one: `disconnects_total{code="taken-over"}`. */
  snapshot(): Record<string, number> {
    const values: Record<string, number> = {};
    for (const [name, { counter }] of this.#counters) values[name] = counter.value;
    for (const [name, { read }] of this.#gauges) values[name] = read();
    return values;
  }
}
