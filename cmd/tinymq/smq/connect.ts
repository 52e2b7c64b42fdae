import { SmqClient } from '../../../internal/clients/smq/client.ts';
import { credentialsOf } from '../../cli/credentials.ts';
import { UsageError } from '../../cli/options/program.ts';
import type { Invocation } from '../../cli/run-program.ts';
import { destinationOf, SMQ } from '../connection-flags.ts';
import { workWith } from '../work-with.ts';
import type { smqOptions } from './flags.ts';

/**
 * Connects to a server of SMQ as the flags say, does the work, and closes. A signal ends both.
 *
 * @throws Failure and others with one clear line.
 */
export async function withSmq<T>(
  invocation: Pick<Invocation<typeof smqOptions>, 'values' | 'stop'>,
  work: (client: SmqClient) => Promise<T>,
): Promise<T> {
  const { values, stop } = invocation;
  const { addresses, tls } = destinationOf(values, SMQ);
  if (addresses.length > 1) throw new UsageError(`-address names one server, not '${values.address}'`);
  const client = await SmqClient.connect(addresses[0], {
    credentials: await credentialsOf(invocation),
    tls,
    connectTimeoutMs: values['connect-timeout'],
    requestTimeoutMs: values['request-timeout'],
    stop,
  });
  return workWith(client, stop, work);
}
