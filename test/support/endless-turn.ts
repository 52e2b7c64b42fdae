import { vi } from 'vitest';
import type { Broker } from '../../internal/broker/broker.ts';

/** Publishers give way by the machine's clock: what a test sees after one turn may not depend on how fast the machine is. */
export function withEndlessTurn(broker: Broker): Broker {
  vi.spyOn(broker.turnTime, 'look').mockReturnValue(undefined);
  return broker;
}
