import type { Logger } from 'pino';
import type { Setting } from '../../internal/admin/setting.ts';
import type { RunningBroker } from '../../pkg/embed/index.ts';
import { settingsOf } from '../cli/options/settings.ts';
import type { Invocation } from '../cli/run-program.ts';
import { brokerProgram } from './flags.ts';
import { logRates } from './rates.ts';

type BrokerInvocation = Invocation<typeof brokerProgram.options>;

/** The settings of a broker that runs, and those of them that change without a new start. */
export class LiveSettings {
  readonly #logger: Logger;
  #settings: readonly Setting[];
  #statsMs: number | undefined;
  #broker: RunningBroker | undefined;
  #endRates: (() => void) | undefined;

  constructor(invocation: BrokerInvocation, logger: Logger) {
    this.#logger = logger;
    this.#settings = settingsOf(brokerProgram, invocation);
    this.#statsMs = invocation.values.stats;
  }

  /** What holds now. */
  get all(): readonly Setting[] {
    return this.#settings;
  }

  /** Logs counters at the interval that `-stats` names, from now on. */
  logRatesOf(broker: RunningBroker): void {
    this.#broker = broker;
    this.#logRates();
  }

  /** Takes over what has changed; what needs a new start is said. A file with faults is logged and changes nothing. */
  async reload(read: () => Promise<BrokerInvocation>): Promise<void> {
    try {
      this.#take(await read());
    } catch (error) {
      this.#logger.error(
        { error: (error as Error).message },
        'the file of options is not used; what holds stays',
      );
    }
  }

  /** Logs no counters any more: what is read now, as the broker was told to a moment ago, does not begin that anew. */
  end(): void {
    this.#broker = undefined;
    this.#endRates?.();
  }

  #take(invocation: BrokerInvocation): void {
    const before = new Map(this.#settings.map((setting) => [setting.flag, setting]));
    const found = settingsOf(brokerProgram, invocation);
    const changed = found.filter(({ flag, value }) => String(before.get(flag)!.value) !== String(value));
    this.#settings = found.map((setting) => (setting.isLive ? setting : before.get(setting.flag)!));
    this.#logger.level = invocation.values['log-level'];
    this.#statsMs = invocation.values.stats;
    this.#logRates();
    const names = (isLive: boolean) =>
      changed.filter((setting) => setting.isLive === isLive).map(({ name }) => name);
    if (names(true).length > 0) this.#logger.info({ settings: names(true) }, 'settings have changed');
    if (names(false).length > 0)
      this.#logger.warn({ settings: names(false) }, 'settings that have changed hold from the next start on');
  }

  #logRates(): void {
    this.#endRates?.();
    this.#endRates =
      this.#statsMs === undefined || this.#broker === undefined
        ? undefined
        : logRates(this.#broker, this.#statsMs, this.#logger);
  }
}
