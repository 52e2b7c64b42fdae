import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { connectToNats } from '../../internal/cluster/connection.ts';
import { connect } from '../../pkg/client/index.ts';
import { LOAD_FLAGS, startLoad } from '../support/cluster-load.ts';
import { errorsIn, nodesHeard } from '../support/cluster-nodes.ts';
import { eventually } from '../support/eventually.ts';
import { Chance } from '../support/fake-jetstream.ts';
import { startClusterProcesses } from '../support/mortal-cluster.ts';
import { natsServer } from '../support/nats-servers.ts';
import { sentMessages, wrongPackets } from '../support/node-messages.ts';

/*
 * What nodes send one another with some bytes changed, so that much of it is still nearly right: the brokers go on, answer their clients
 * and hear each other. `make fuzz` is a long run.
 */

const program = await natsServer();
const SECONDS = Number(process.env.FUZZ_SECONDS ?? 3);
const SEED = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));
const STRANGER = 900;
/** So many leave at once: nobody is to be so slow that NATS ends its connection. */
const AT_ONCE = 200;
const PAUSE_MS = 20;

/** Bytes that mean something in one of the formats. */
const BYTES = [...Buffer.from('{}[],:"0-9eE\\'), 0, 1, 0x7f, 0x80, 0xff];

function changed(bytes: Uint8Array, chance: Chance): Uint8Array {
  const all = [...bytes];
  for (let edits = 1 + chance.below(3); edits > 0; edits--) {
    const at = chance.below(all.length + 1);
    const length = chance.below(2) === 0 ? 1 : chance.below(8);
    switch (chance.below(4)) {
      case 0:
        all.splice(at, length);
        break;
      case 1:
        all.splice(at, 0, BYTES[chance.below(BYTES.length)]!);
        break;
      case 2:
        all.splice(at, 1, chance.below(256));
        break;
      default:
        all.splice(at, 0, ...all.slice(at, at + length));
    }
  }
  return Uint8Array.from(all);
}

it.runIf('there' in program)(
  'brokers go on, whatever they are sent that is nearly a message of another',
  async () => {
    await using cluster = await startClusterProcesses('there' in program ? program.there : '', {
      ...{ flags: [...LOAD_FLAGS, '-cluster-fsync', 'os'], nodes: 2, nats: { servers: 1 } },
    });
    const load = await startLoad(cluster.nodes);
    const [watching, publishing] = await Promise.all(
      cluster.nodes.map((node) => connect(node.urlOf('frames'), {})),
    );
    // It gets what is nearly right.
    await watching!.subscribe('+/#', () => {}, { qos: 1 });
    const connection = await connectToNats({ urls: cluster.nats.urls, fsync: 'os' });
    const nodes = await nodesHeard(connection, 2);
    const whole = nodes
      .flatMap((node) => [...nodes, STRANGER].map((from) => [node, from] as const))
      .flatMap(([node, from]) => [
        ...sentMessages(node, from).map(({ subject, value, bytesOf }) => ({
          subject,
          bytes: bytesOf(JSON.stringify(value)),
        })),
        ...wrongPackets(node, from),
      ]);
    const chance = new Chance(SEED);
    const untilMs = performance.now() + SECONDS * 1_000;
    let sent = 0;
    while (performance.now() < untilMs) {
      for (let count = 0; count < AT_ONCE; count++) {
        const { subject, bytes } = whole[chance.below(whole.length)]!;
        connection.publish(`tinymq.${subject}`, changed(bytes, chance), { reply: 'nobody.asks' });
      }
      sent += AT_ONCE;
      await connection.flush();
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    await connection.close();
    console.log(`${sent} packets, seed ${SEED}`);
    await load.untilAnswered(5, `packets that are nearly right, seed ${SEED}`);
    // A packet that is right in all but what it says may have replaced the filters that were known before.
    let got = 0;
    await watching!.subscribe('own', () => void got++);
    await eventually(async () => {
      publishing!.publish('own', 'after');
      await publishing!.ping();
      return got > 0;
    }, 'a message of another node');
    await Promise.all([watching!.close(), publishing!.close()]);
    expect(await load.problems(cluster.nodes[0]!), `seed ${SEED}`).toEqual([]);
    for (const node of cluster.nodes) {
      const { code, stderr } = await node.stop();
      expect(code, `seed ${SEED}: ${stderr}`).toBe(0);
      expect(errorsIn(stderr), `seed ${SEED}`).toEqual([]);
    }
  },
  SECONDS * 1_000 + 240_000,
);

it('nats-server is here, or it is said why not', () => {
  if ('missing' in program) console.warn(`nats-server: ${program.missing}`);
});
