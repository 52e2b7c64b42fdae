import { describe, expect, it } from 'vitest';
import { connectToNats } from '../../internal/cluster/connection.ts';
import { JetStream } from '../../internal/cluster/jetstream.ts';
import { connect, type Message } from '../../pkg/client/index.ts';
import { LOAD_FLAGS, startLoad } from '../support/cluster-load.ts';
import { errorsIn, nodesHeard } from '../support/cluster-nodes.ts';
import { eventually } from '../support/eventually.ts';
import { startClusterProcesses } from '../support/mortal-cluster.ts';
import { natsServer } from '../support/nats-servers.ts';
import {
  ANSWERS,
  keptMessages,
  sentMessages,
  wrongEntries,
  wrongFacts,
  wrongPackets,
} from '../support/node-messages.ts';
import { wrongShapes } from '../support/wrong-shapes.ts';

/*
 * Messages of every kind that are read as what they are, and in which one thing is not what it has to be. Each is passed over as what
 * cannot be read is: no broker ends by it, none is deaf behind it, and nothing of it is taken for true.
 */

const program = await natsServer();
/** No node has this number. */
const STRANGER = 900;
/** For so long wrong answers come to what nodes ask each other. */
const ANSWERED_MS = 2_000;

describe.runIf('there' in program)('messages of nodes with a wrong shape', () => {
  it('are passed over, now and at the next start', async () => {
    const natsProgram = 'there' in program ? program.there : '';
    await using cluster = await startClusterProcesses(natsProgram, {
      ...{ flags: [...LOAD_FLAGS, '-cluster-fsync', 'os'], nodes: 2, nats: { servers: 1 } },
    });
    const load = await startLoad(cluster.nodes);
    const got: Message[] = [];
    const [watching, publishing] = await Promise.all(
      cluster.nodes.map((node) => connect(node.urlOf('frames'), {})),
    );
    await watching!.subscribe('watched/#', (message) => void got.push(message));
    const connection = await connectToNats({ urls: cluster.nats.urls, fsync: 'os' });
    const jetStream = new JetStream(connection);
    const nodes = await nodesHeard(connection, 2);

    const texts = ANSWERS.flatMap(wrongShapes);
    const asked = nodes.flatMap((node) => ['forward', 'delete'].map((what) => `tinymq.node.${node}.${what}`));
    const answering = asked.map((subject) =>
      connection.subscribe(subject, {
        callback: (_error, ask) => void ask.respond(texts[answered++ % texts.length]!),
      }),
    );
    let answered = 0;
    await new Promise((resolve) => setTimeout(resolve, ANSWERED_MS));
    for (const subscription of answering) subscription.unsubscribe();
    expect(answered).toBeGreaterThan(0);
    await load.untilAnswered(5, 'answers of a wrong shape');

    const json = [
      ...nodes.flatMap((node) => [...nodes, STRANGER].flatMap((from) => sentMessages(node, from))),
      ...keptMessages(),
    ];
    for (const { subject, value, bytesOf, fields = {} } of json) {
      for (const text of wrongShapes(value)) jetStream.send(`tinymq.${subject}`, bytesOf(text), fields);
    }
    const raw = [
      ...nodes.flatMap((node) => wrongPackets(node, STRANGER)),
      ...wrongFacts(),
      ...wrongEntries(),
    ];
    for (const { subject, bytes, fields = {} } of raw) jetStream.send(`tinymq.${subject}`, bytes, fields);
    await connection.flush();
    await connection.close();

    await load.untilAnswered(20, 'messages of a wrong shape');
    publishing!.publish('watched/own', 'after');
    await eventually(() => got.some(({ topic }) => topic === 'watched/own'), 'a message of another node');
    expect(got.map(({ topic }) => topic)).toEqual(['watched/own']);
    await Promise.all([watching!.close(), publishing!.close()]);
    for (const node of cluster.nodes) {
      const { code, stderr } = await node.stop();
      expect(code, stderr).toBe(0);
      expect(stderr).toContain('a message that no broker of this cluster wrote is passed over');
      expect(errorsIn(stderr)).toEqual([]);
      await node.start();
      await load.untilAnswered(2, 'a start beside messages of a wrong shape');
    }
    expect(await load.problems(cluster.nodes[0]!)).toEqual([]);
  }, 240_000);
});
