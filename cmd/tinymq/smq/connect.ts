import type { smqOptions } from '../../../internal/config/tinymq-smq.ts';
import type { Invocation } from '../../shared/run-program.ts';
import { addressOf, tlsSettingsOf } from '../connection-flags.ts';
import { workWith } from '../work-with.ts';
import { SmqClient } from './client.ts';

const DEFAULT_PORT = 8097;

/**
 * Connects to a server of SMQ as the flags say, does the work, and closes. A signal ends both.
 *
 * @throws Failure and others with one clear line.
 */
export async function withSmq<T>(
  { values, stop }: Pick<Invocation<typeof smqOptions>, 'values' | 'stop'>,
  work: (client: SmqClient) => Promise<T>,
): Promise<T> {
  const client = await SmqClient.connect(addressOf(values.address, DEFAULT_PORT), {
    tls: tlsSettingsOf(values),
    connectTimeoutMs: values['connect-timeout'],
    requestTimeoutMs: values['request-timeout'],
    stop,
  });
  return workWith(client, stop, work);
}
