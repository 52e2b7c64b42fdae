import type { LookOptions } from '../../../internal/cluster/inspect/look.ts';
import { natsUrlProblem } from '../../../internal/cluster/nats-url.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { StoreError } from '../../../internal/store/store-error.ts';
import { type clusterOptions, clusterTlsOf } from '../../cli/options/cluster-options.ts';
import type { Values } from '../../cli/options/option.ts';
import { UsageError } from '../../cli/options/program.ts';
import { split } from '../access/output.ts';

/** What the flags say of how the servers are reached. @throws UsageError */
export function lookOptionsOf(values: Values<typeof clusterOptions>): LookOptions {
  const urls = split(values.cluster);
  if (urls.length === 0)
    throw new UsageError('-cluster is missing: the NATS servers, as in -cluster nats://a:4222,nats://b:4222');
  for (const url of urls) {
    const problem = natsUrlProblem(url);
    if (problem !== undefined) throw new UsageError(`-cluster ${problem}`);
  }
  return {
    urls,
    name: values['cluster-name'],
    credentialsFile: values['cluster-credentials'],
    tls: clusterTlsOf(values),
    monitors: split(values['cluster-monitor']),
  };
}

/** What NATS or the store says against it is told as it is. @throws Failure */
export async function toldByCluster<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StoreError) throw new Failure(error.message);
    throw error;
  }
}
