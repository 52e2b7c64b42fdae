/** The load generator's process. Its parent tells it what to do, and gets the figures of each round. */
import { type Case, cases } from '../cases.ts';
import { peerNamed } from '../peers/index.ts';
import { isClusterPeer, isLivePeer, speakingMqtt } from '../peers/peer.ts';
import type { Order, Preparation, Reply } from './orders.ts';
import type { GrpcSetting, KafkaSetting, Scenario, Setting } from './scenario.ts';
import { type LoadCase, scenarioOf } from './scenarios.ts';

let scenario: Scenario | undefined;

process.on('message', (order: Order) => {
  carryOut(order).then(reply, (error: Error) => reply({ error: error.message }));
});
// The parent is gone, or has what it wants.
process.on('disconnect', () => process.exit());

async function carryOut(order: Order): Promise<Reply> {
  if (order.kind === 'prepare') {
    const chosen = cases.find(({ name }) => name === order.caseName)!;
    scenario = await scenarioOf(chosen as LoadCase, {
      live: liveSetting(chosen, order),
      kafka: kafkaSetting(order),
      grpc: grpcSetting(order),
    });
    return { figures: {} };
  }
  return { figures: await scenario!.round(order.seconds) };
}

function liveSetting(
  chosen: Case,
  { peerName, address, subscriberAddress, brokerPid, variant }: Preparation,
): Setting | undefined {
  const found = peerNamed(peerName);
  if (address === undefined) return undefined;
  const said = { address, subscriberAddress, brokerPid, variant };
  if (isClusterPeer(found)) return { peer: found, ...said };
  if (!isLivePeer(found)) return undefined;
  const peer = 'protocol' in chosen ? speakingMqtt(found)! : found;
  return { peer, ...said };
}

function kafkaSetting({ kafkaPort, brokerPid }: Preparation): KafkaSetting | undefined {
  return kafkaPort === undefined ? undefined : { kafkaPort, brokerPid };
}

function grpcSetting({ grpcPort, brokerPid }: Preparation): GrpcSetting | undefined {
  return grpcPort === undefined ? undefined : { grpcPort, brokerPid };
}

function reply(message: Reply): void {
  process.send!(message);
}
