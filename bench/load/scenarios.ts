import type { Case } from '../cases.ts';
import { churn } from './churn.ts';
import { idle } from './idle.ts';
import { latency } from './latency.ts';
import type { Scenario, Setting } from './scenario.ts';
import { sdk } from './sdk.ts';
import { stuck } from './stuck.ts';
import { throughput } from './throughput.ts';

/** Connects what a case needs and is ready to measure. */
export function scenarioOf(chosen: Case, setting: Setting): Promise<Scenario> {
  switch (chosen.kind) {
    case 'throughput':
      return throughput(chosen, setting);
    case 'latency':
      return latency(chosen, setting);
    case 'idle':
      return idle(chosen, setting);
    case 'stuck':
      return stuck(chosen, setting);
    case 'churn':
      return churn(chosen, setting);
    case 'sdk':
      return sdk(chosen, setting);
    case 'startup':
      throw new Error('a start needs no load');
  }
}
