import { openCluster } from '../cluster/open-cluster.ts';
import type { Cluster } from '../log/cluster.ts';
import { refuseHiddenLogs } from './hidden-logs.ts';
import type { BrokerOptions } from './options.ts';

/** Becomes a node of a cluster, and starts a broker on it. */
export async function openNode<Broker>(
  { cluster: option, dataDir, memory = false, logger, clock }: BrokerOptions,
  start: (cluster: Cluster) => Promise<Broker>,
): Promise<Broker> {
  const { servers, name = 'tinymq', fsync = 'commit', credentialsFile, tls, monitors } = option!;
  if (dataDir !== undefined && !memory) await refuseHiddenLogs(dataDir);
  const silent = { info() {}, warn() {} };
  const cluster = await openCluster({
    ...{ urls: servers, name, fsync, credentialsFile, tls, monitors, clock },
    logger: logger ?? silent,
  });
  try {
    return await start(cluster);
  } catch (error) {
    await cluster.close();
    throw error;
  }
}
