import type { ShownFate } from '../../internal/admin/operations/why.ts';
import type { HealthReport } from '../../internal/observe/health.ts';
import { runTinymq } from '../support/tinymq-program.ts';

/** What a broker tells whoever runs it, by each of the ways there are. */
export class Told {
  readonly http: string;
  readonly #dataDir: string;

  /** @param http the base of its HTTP URLs. */
  constructor(http: string, dataDir: string) {
    this.http = http;
    this.#dataDir = dataDir;
  }

  /** What `tinymq why` says of a name, or with flags of its own. */
  async why(...asked: string[]): Promise<ShownFate[]> {
    const { out, errors } = await runTinymq(['why', ...asked, '-json', '-data-dir', this.#dataDir]);
    if (errors !== '') throw new Error(errors);
    return JSON.parse(out) as ShownFate[];
  }

  /** @param line its name without `tinymq_`, with its labels; 0 where it is not there. */
  async metric(line: string): Promise<number> {
    const text = await (await fetch(`${this.http}/metrics`)).text();
    const found = text.split('\n').find((each) => each.startsWith(`tinymq_${line} `));
    return Number(found?.split(' ').at(-1) ?? 0);
  }

  /** The status of `/readyz`. */
  async ready(): Promise<number> {
    return (await fetch(`${this.http}/readyz`)).status;
  }

  async health(): Promise<HealthReport> {
    return (await (await fetch(`${this.http}/healthz`)).json()) as HealthReport;
  }
}
