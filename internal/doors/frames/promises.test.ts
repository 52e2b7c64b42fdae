import { describe, expect, it } from 'vitest';
import { identityOfTest } from '../../../test/support/access.ts';
import type { FakeConnection } from '../../../test/support/fake-connection.ts';
import { acked, connect, counted, publish, subscribe, told } from '../../../test/support/frame-words.ts';
import { framesDoor } from '../../../test/support/frames-door.ts';
import { allowAll, type Guard } from '../../access/guard.ts';
import type { Receiver } from '../../broker/delivery/channel.ts';
import type { Receipt } from '../../broker/delivery/receipt.ts';
import { BrokerError } from '../../errors.ts';
import { frameUnansweredMessages } from '../../limits/doors.ts';
import { encodeAck, encodeReturn, NEVER_AGAIN } from '../../protocol/frame/acknowledgements.ts';
import { encodeFrame, FrameBit, FrameType } from '../../protocol/frame/frame.ts';

const guard: Guard = {
  ...allowAll,
  mayPublish: (_, topic) => (topic.startsWith('secret') ? 'it is secret' : undefined),
};
const ack = (upTo: number, ...ranges: [number, number][]) => encodeAck(FrameBit.acknowledged, upTo, ranges);
const ping = encodeFrame(FrameType.ping, '', '', 'me');

describe('acknowledged messages', () => {
  it('are answered by one ACK for a chunk, and reach plain subscribers as plain ones', async () => {
    const { open, connected } = framesDoor();
    const plain = await connected('plain', '#');
    const me = await opened(open, 'acks');
    send(me, acked('a', '1'), acked('a', '2'), publish('a', '3'), acked('b', '4'), acked('c', 'other', {}));
    expect(await tell(me)).toEqual(['ACK+ 4']);
    expect(await tell(plain)).toEqual(
      ['a 1', 'a 2', 'a 3', 'b 4', 'c other'].map((said) => `PUBLISH ${said}`),
    );
    send(me, acked('a', '5'));
    expect(await tell(me)).toEqual(['ACK+ 5']);
  });

  it.each([1, 3, 7, 1000])('are counted wherever chunks are cut: every %i bytes', async (size) => {
    const { open, connected } = framesDoor();
    const plain = await connected('plain', '#');
    const me = await opened(open, 'acks');
    const all = Buffer.concat(Array.from({ length: 20 }, (_, index) => acked(`a/${index % 3}`, `${index}`)));
    for (let at = 0; at < all.length; at += size) me.handler.bytes(Buffer.from(all.subarray(at, at + size)));
    expect((await tell(me)).at(-1)).toBe('ACK+ 20');
    expect(await tell(plain)).toEqual(
      Array.from({ length: 20 }, (_, index) => `PUBLISH a/${index % 3} ${index}`),
    );
  });

  it('have the real id of their client, whatever they say', async () => {
    const { open, connected } = framesDoor();
    const plain = await connected('plain', '#');
    const me = await opened(open, 'acks');
    send(me, encodeFrame(0x22, 'a', 'x', 'forged'), encodeFrame(0x22, 'a', 'y', ''));
    expect(await tell(me)).toEqual(['ACK+ 2']);
    expect((await plain.frames()).map(({ clientId, type }) => [clientId, type])).toEqual([
      ['me', 2],
      ['me', 2],
    ]);
  });

  it('that are refused are answered by their number, in order, and the others are delivered', async () => {
    const { open, connected } = framesDoor({ guard, maxMessageBytes: 16 });
    const plain = await connected('plain', '#');
    const me = await opened(open, 'acks');
    send(
      me,
      acked('a', '1'),
      acked('secret', '2'),
      acked('a/#', '3'),
      acked('a', 'x'.repeat(17)),
      acked('a', '5'),
    );
    expect(await tell(me)).toEqual([
      'ACK+ 1',
      "REFUSED+ 2 secret not-authorized: topic 'secret': it is secret",
      expect.stringContaining('REFUSED+ 3 a/# invalid-topic: '),
      'REFUSED+ 4 a message-too-large: payload of 17 bytes; at most 16 are accepted',
      'ACK+ 5',
    ]);
    expect(await tell(plain)).toEqual(['PUBLISH a 1', 'PUBLISH a 5']);
    expect(me.isEnded).toBe(false);
  });

  // docs/frames.md says so of every PUBLISHREFUSED; one of a counted message had the bytes as they came.
  it('whose topic is no text are refused without it', async () => {
    const { open } = framesDoor();
    const me = await opened(open, 'acks');
    send(me, encodeFrame(0x22, Uint8Array.of(0xc3), 'x', 'me'));
    expect(await tell(me)).toEqual([expect.stringContaining('REFUSED+ 1  invalid-topic: ')]);
  });

  it('leave plain ones as they are: what is refused of those ends the connection without `refusals`', async () => {
    const { open } = framesDoor({ guard });
    const me = await opened(open, 'acks');
    send(me, acked('a', '1'), publish('secret', 'x'));
    expect(await tell(me)).toEqual(['ACK+ 1', expect.stringContaining('DISCONNECT not-authorized')]);
  });

  it('are answered when those who keep them have them, and not before', async () => {
    const { open, broker } = framesDoor();
    const keeper = new Keeper();
    broker.attach('kept/#', keeper);
    const me = await opened(open, 'acks');
    send(me, acked('kept/1', '1'), acked('kept/1', '2'), acked('a', '3'), ping);
    expect(await tell(me)).toEqual(['PONG']);
    expect(keeper.receipts).toHaveLength(1);
    keeper.receipts[0].letGo();
    expect(await tell(me)).toEqual(['ACK+ 3']);
    expect(keeper.messages).toEqual(['kept/1 1 qos 1', 'kept/1 2 qos 1']);
  });

  it('are refused where those who keep them could not, each by its number; the next ones are not', async () => {
    const { open, broker } = framesDoor();
    const keeper = new Keeper();
    broker.attach('kept', keeper);
    const me = await opened(open, 'acks');
    send(me, acked('a', '1'), acked('kept', '2'), acked('kept', '3'), acked('a', '4'));
    keeper.receipts[0].letGo(new BrokerError('store-unavailable', 'the disk is full'));
    expect(await tell(me)).toEqual([
      'ACK+ 1',
      expect.stringContaining('REFUSED+ 2  store-unavailable: '),
      expect.stringContaining('REFUSED+ 3  store-unavailable: '),
      'ACK+ 4',
    ]);
  });

  it('that wait in too great numbers keep their client from being read', async () => {
    const { open, broker } = framesDoor();
    const keeper = new Keeper();
    broker.attach('kept', keeper);
    const me = await opened(open, 'acks');
    send(me, ...Array.from({ length: frameUnansweredMessages + 1 }, () => acked('kept', 'x')));
    for (let turn = 0; turn < 20; turn++) await tell(me);
    expect(me.pauses).toBeGreaterThan(0);
    for (const receipt of keeper.receipts) receipt.letGo();
    for (let turn = 0; turn < 20; turn++) await tell(me);
    expect(me.pauses).toBe(0);
  });

  it('are still answered for a client that has closed its direction', async () => {
    const { open, broker } = framesDoor();
    const keeper = new Keeper();
    broker.attach('kept', keeper);
    const me = await opened(open, 'acks');
    send(me, acked('kept', 'x'));
    me.handler.ended();
    expect(me.isEnded).toBe(false);
    keeper.receipts[0].letGo();
    expect(await tell(me)).toEqual(['ACK+ 1']);
    expect(me.isEnded).toBe(true);
  });

  it.each(['', 'refusals', 'delivery'])(
    'are refused as reserved bits where %j was offered',
    async (offer) => {
      const { open } = framesDoor();
      const me = await opened(open, offer);
      send(me, acked('a', '1'));
      expect(await tell(me)).toEqual(['DISCONNECT reserved-bits: the type byte is 0x22']);
    },
  );
});

describe('properties of messages', () => {
  const said = {
    headers: [
      ['unit', 'celsius'],
      ['unit', 'again'],
    ] as [string, string][],
    contentType: 'text/plain',
    correlationData: Uint8Array.of(0, 255),
    replyTo: 'r',
    isText: true,
  };

  it('reach whoever agreed on them, and the message everybody', async () => {
    const { open, connected } = framesDoor();
    const plain = await connected('plain', '#');
    const rich = await opened(open, 'headers', 'rich');
    const me = await opened(open, 'headers expiry acks');
    send(rich, subscribe('#'));
    await tell(rich);
    send(me, publish('a', 'x', said), acked('a', 'y', { ...said, expiresInMs: 60_000 }), publish('a', 'z'));
    expect(await tell(me)).toEqual(['ACK+ 1']);
    expect(await tell(plain)).toEqual(['PUBLISH a x', 'PUBLISH a y', 'PUBLISH a z']);
    const text = JSON.stringify(said);
    expect(await tell(rich)).toEqual([`PUBLISH a x ${text}`, `PUBLISH a y ${text}`, 'PUBLISH a z']);
  });

  it.each([
    [
      'that was not agreed on',
      { retain: true },
      'invalid-properties: properties have 1, which was not agreed on',
    ],
    [
      'of a subscription',
      { noLocal: true },
      'invalid-properties: properties have 17, which was not agreed on',
    ],
  ])('are refused with one %s', async (_, wrong, reason) => {
    const { open } = framesDoor();
    const me = await opened(open, 'headers options acks');
    send(me, acked('a', 'x', wrong), acked('a', 'y'));
    expect(await tell(me)).toEqual([expect.stringContaining(`REFUSED+ 1 a ${reason}`), 'ACK+ 2']);
  });

  it('that have no meaning are refused alone, and end a connection that did not agree on that', async () => {
    const { open } = framesDoor();
    const broken = encodeFrame(0x12, 'a', Buffer.from('000000ff', 'hex'), 'me');
    const me = await opened(open, 'headers refusals');
    send(me, broken, ping);
    expect(await tell(me)).toEqual([expect.stringContaining('REFUSED a invalid-properties: '), 'PONG']);
    const strict = await opened(open, 'headers', 'strict');
    send(strict, broken);
    expect(await tell(strict)).toEqual([expect.stringContaining('DISCONNECT invalid-properties: ')]);
  });

  it('do not count against the size of a message, and the message does', async () => {
    const { open } = framesDoor({ maxMessageBytes: 16 });
    const me = await opened(open, 'headers acks');
    const headers: [string, string][] = [['n', 'x'.repeat(1_000)]];
    send(me, acked('a', 'x'.repeat(16), { headers }), acked('a', 'x'.repeat(17), { headers }));
    expect(await tell(me)).toEqual([
      'ACK+ 1',
      'REFUSED+ 2 a message-too-large: payload of 17 bytes; at most 16 are accepted',
    ]);
  });

  it('have a message retained, and say which messages are', async () => {
    const { open } = framesDoor();
    const me = await opened(open, 'retain headers acks');
    send(me, acked('a', 'x', { retain: true, headers: [['k', 'v']] }), acked('gone', 'x', { retain: true }));
    send(me, acked('gone', '', { retain: true }));
    await tell(me);
    const late = await opened(open, 'retain headers options', 'late');
    send(late, subscribe('#'));
    const said = '{"retain":true,"headers":[["k","v"]]}';
    expect(await tell(late)).toEqual(['SUBACK #', `PUBLISH a x ${said}`]);
    send(me, publish('a', 'y', { retain: true }));
    expect(await tell(late)).toEqual(['PUBLISH a y']);
    send(late, subscribe('a', { retainAsPublished: true }));
    expect(await tell(late)).toEqual(['SUBACK a', 'PUBLISH a y {"retain":true}']);
    send(me, publish('a', 'z', { retain: true }));
    expect(await tell(late)).toEqual(['PUBLISH a z {"retain":true}']);
    const plain = await opened(open, '', 'plain');
    send(plain, subscribe('a'));
    expect(await tell(plain)).toEqual(['SUBACK a', 'PUBLISH a z']);
  });

  it('of a subscription say when it brings retained messages, and leave out its own', async () => {
    const { open } = framesDoor();
    const me = await opened(open, 'retain options acks');
    send(me, acked('a', 'x', { retain: true }), subscribe('a', { retainHandling: 'never', noLocal: true }));
    expect(await tell(me)).toEqual(['SUBACK a', 'ACK+ 1']);
    send(me, subscribe('a', { retainHandling: 'if new', noLocal: true }), publish('a', 'y'), ping);
    expect(await tell(me)).toEqual(['SUBACK a', 'PONG']);
    send(me, subscribe('a', { retainHandling: 'always' }), publish('a', 'z'));
    expect(await tell(me)).toEqual(['SUBACK a', 'PUBLISH a x {"retain":true}', 'PUBLISH a z']);
  });
});

describe('messages that count once', () => {
  const ONCE = 'once producer=p';

  it('go on across connections behind the last that is safe, and what comes again reaches nobody twice', async () => {
    const { open, connected } = framesDoor();
    const plain = await connected('plain', '#');
    const first = open(connect('me', ONCE));
    expect(await tell(first)).toEqual(['CONNACK once last=0']);
    send(first, counted('a', '1'), counted('a', '2'));
    expect(await tell(first)).toEqual(['ACK* 2']);
    first.handler.closed();
    const second = open(connect('me', `${ONCE} acked=1`));
    expect(await tell(second)).toEqual(['CONNACK once last=2']);
    send(second, counted('a', '3'));
    expect(await tell(second)).toEqual(['ACK* 3']);
    expect(await tell(plain)).toEqual(['PUBLISH a 1', 'PUBLISH a 2', 'PUBLISH a 3']);
    second.handler.closed();
    // Another name begins anew.
    expect(await tell(open(connect('me', 'once producer=q acked=0')))).toEqual(['CONNACK once last=0']);
  });

  it('are known to a broker that forgot them by what the client says', async () => {
    const { open } = framesDoor();
    const me = open(connect('me', `${ONCE} acked=41`));
    expect(await tell(me)).toEqual(['CONNACK once last=41']);
    send(me, counted('a', '42'));
    expect(await tell(me)).toEqual(['ACK* 42']);
  });

  it('have QoS 2 and their numbers for those who keep them', async () => {
    const { open, broker } = framesDoor();
    const keeper = new Keeper();
    broker.attach('kept', keeper);
    const me = await opened(open, `${ONCE} headers`);
    send(me, counted('kept', '1'), counted('a', '2'), counted('kept', '3', { headers: [['k', 'v']] }));
    for (const receipt of keeper.receipts) receipt.letGo();
    expect(await tell(me)).toEqual(['ACK* 3']);
    expect(keeper.messages).toEqual(['kept 1 qos 2', 'kept 3 qos 2']);
    expect(keeper.numbers).toEqual([1, 3]);
  });

  it('end the connection where they could not be kept; the next one waits for what is under way, and has them again', async () => {
    const { open, broker, connected } = framesDoor();
    const plain = await connected('plain', '#');
    const keeper = new Keeper();
    broker.attach('kept', keeper);
    const first = await opened(open, ONCE);
    send(first, counted('a', '1'), counted('kept', '2'), counted('kept', '3'));
    expect(await tell(first)).toEqual(['ACK* 1']);
    const second = open(connect('me', `${ONCE} acked=1`));
    expect(await tell(second)).toEqual([]);
    expect(await tell(first)).toEqual([expect.stringContaining('DISCONNECT taken-over')]);
    keeper.receipts[0].letGo(new BrokerError('store-unavailable', 'the disk is full'));
    expect(await tell(second)).toEqual(['CONNACK once last=1']);
    send(second, counted('kept', '2'), counted('kept', '3'), counted('kept', '4'));
    for (const receipt of keeper.receipts.slice(1)) receipt.letGo();
    expect(await tell(second)).toEqual(['ACK* 4']);
    expect(keeper.numbers).toEqual([2, 2, 3, 4]);
    expect(await tell(plain)).toEqual(['a 1', 'kept 2', 'kept 3', 'kept 4'].map((said) => `PUBLISH ${said}`));
    keeper.receipts.length = 0;
    send(second, counted('kept', '5'));
    keeper.receipts[0].letGo(new BrokerError('store-unavailable', 'the disk is full'));
    expect(await tell(second)).toEqual([expect.stringContaining('DISCONNECT store-unavailable: ')]);
  });

  it('that are refused have their number', async () => {
    const { open } = framesDoor({ guard, maxMessageBytes: 16 });
    const me = await opened(open, ONCE);
    send(me, counted('secret', '1'), counted('a', 'x'.repeat(17)), counted('a', '3'));
    expect(await tell(me)).toEqual([
      "REFUSED* 1 secret not-authorized: topic 'secret': it is secret",
      'REFUSED* 2 a message-too-large: payload of 17 bytes; at most 16 are accepted',
      'ACK* 3',
    ]);
    me.handler.closed();
    expect(await tell(open(connect('me', ONCE)))).toEqual(['CONNACK once last=3']);
  });

  it.each([
    ['without a producer', connect('me', 'once'), 'invalid-offer: offer has no producer'],
    [
      'with both bits',
      Buffer.concat([connect('me', `${ONCE} acks`), publish('a', 'x', { bits: 0x60 })]),
      'reserved-bits',
    ],
  ])('are refused %s', async (_, bytes, reason) => {
    const { open } = framesDoor();
    expect((await tell(open(bytes))).at(-1)).toContain(`DISCONNECT ${reason}`);
  });
});

describe('acknowledged deliveries', () => {
  it('are counted, no more than the window, and go on with each ACK', async () => {
    const { open } = framesDoor();
    const me = await opened(open, 'delivery window=2');
    const other = await opened(open, 'acks', 'other');
    send(me, subscribe('a', { acknowledged: true }));
    expect(await tell(me)).toEqual(['SUBACK a']);
    send(other, ...[1, 2, 3, 4, 5].map((n) => acked('a', `${n}`)), publish('a', 'plain'));
    expect(await tell(other)).toEqual(['ACK+ 5']);
    expect(await tell(me)).toEqual(['PUBLISH+ a 1', 'PUBLISH+ a 2', 'PUBLISH a plain']);
    send(me, ack(1));
    expect(await tell(me)).toEqual(['PUBLISH+ a 3']);
    send(me, ack(1, [3, 3]));
    expect(await tell(me)).toEqual(['PUBLISH+ a 4']);
    send(me, ack(4));
    expect(await tell(me)).toEqual(['PUBLISH+ a 5']);
    send(me, ack(0), ack(5), ping);
    expect(await tell(me)).toEqual(['PONG']);
  });

  it.each([
    ['one that was never sent', ack(3), 'number 3 is acknowledged; the last that was sent is 2'],
    ['a range that was never sent', ack(1, [2, 9]), 'number 9 is acknowledged; the last that was sent is 2'],
    [
      'a RETURN of such a one',
      encodeReturn({ number: 7, afterMs: 0, reason: '' }),
      'number 7 is acknowledged',
    ],
    ['an ACK of no meaning', encodeFrame(0x2e, '', 'x', ''), 'acknowledgement has 1 bytes'],
  ])('end the connection with %s', async (_, wrong, reason) => {
    const { me } = await withTwo('delivery');
    send(me, wrong);
    expect(await tell(me)).toEqual([expect.stringContaining(`DISCONNECT unexpected-frame: ${reason}`)]);
  });

  it('that are given back come again, behind the others, and say so', async () => {
    const { me, other } = await withTwo('delivery window=2');
    send(other, acked('a', '3'));
    send(me, encodeReturn({ number: 1, afterMs: 0, reason: 'busy' }));
    expect(await tell(me)).toEqual(['PUBLISH+ a 3']);
    send(me, ack(1, [3, 3]));
    expect(await tell(me)).toEqual(['PUBLISH+ a 1 {"isAgain":true}']);
    // A number that has its answer is given back in vain.
    send(me, encodeReturn({ number: 3, afterMs: 0, reason: '' }), ack(4), ping);
    expect(await tell(me)).toEqual(['PONG']);
  });

  it('that are rejected do not come again, and somebody is told', async () => {
    const { me, metrics, other } = await withTwo('delivery window=2');
    send(me, encodeReturn({ number: 2, afterMs: NEVER_AGAIN, reason: 'no such device' }), ack(2));
    await tell(me);
    expect(metrics.snapshot()['messages_dropped_total{code="rejected-by-client"}']).toBe(1);
    send(other, acked('a', '3'));
    expect(await tell(me)).toEqual(['PUBLISH+ a 3']);
  });
});

describe('sessions', () => {
  const SESSION = 'delivery session session-expiry=60';

  it('outlast their connection, with what was not acknowledged', async () => {
    const { open } = framesDoor();
    const other = await opened(open, 'acks', 'other');
    const first = open(connect('me', SESSION));
    send(first, subscribe('a', { acknowledged: true }));
    expect(await tell(first)).toEqual(['CONNACK delivery session window=1024', 'SUBACK a']);
    send(other, acked('a', '1'), acked('a', '2'));
    expect(await tell(first)).toEqual(['PUBLISH+ a 1', 'PUBLISH+ a 2']);
    send(first, ack(0, [2, 2]));
    first.handler.closed();
    send(other, acked('a', '3'), publish('a', 'for those who are there'));
    expect(await tell(other)).toContain('ACK+ 3');
    const second = open(connect('me', SESSION));
    expect(await tell(second)).toEqual([
      'CONNACK delivery session resumed window=1024',
      'PUBLISH+ a 1 {"isAgain":true}',
      'PUBLISH+ a 3',
    ]);
    send(second, ack(2));
    second.handler.closed();
    const clean = open(connect('me', `${SESSION} session-start=clean`));
    expect(await tell(clean)).toEqual(['CONNACK delivery session window=1024']);
    send(other, acked('a', '4'));
    expect(await tell(clean)).toEqual([]);
  });

  // Clients of the SDK agree on `delivery` whenever they connect. Each counted as a session, and one that only published ended
  // the session that its id had.
  it('that are kept stay while a client of their id only could acknowledge, and end when it does', async () => {
    const { open, sessions, metrics } = framesDoor();
    const other = await opened(open, 'acks', 'other');
    const first = await opened(open, SESSION);
    send(first, subscribe('a', { acknowledged: true }));
    await tell(first);
    first.handler.closed();
    const counts = () => [sessions.count, sessions.connectedCount, metrics.snapshot().sessions];
    const passing = await opened(open, 'delivery acks');
    send(passing, subscribe('b'), acked('b', '1'), ack(0));
    expect(await tell(passing)).toEqual(['SUBACK b', 'PUBLISH b 1', 'ACK+ 1']);
    passing.handler.closed();
    send(other, acked('a', '1'));
    expect(counts()).toEqual([1, 0, 1]);
    const second = open(connect('me', SESSION));
    expect(await tell(second)).toEqual(['CONNACK delivery session resumed window=1024', 'PUBLISH+ a 1']);
    second.handler.closed();
    const acting = await opened(open, 'delivery window=1');
    send(acting, subscribe('c', { acknowledged: true }));
    send(other, acked('a', '2'), acked('c', '1'), acked('c', '2'));
    expect(await tell(acting)).toEqual(['SUBACK c', 'PUBLISH+ c 1']);
    expect(counts()).toEqual([1, 1, 1]);
    expect(metrics.snapshot().session_messages_unacknowledged).toBe(1);
    send(acting, ack(1));
    expect(await tell(acting)).toEqual(['PUBLISH+ c 2']);
    acting.handler.closed();
    expect(counts()).toEqual([0, 0, 0]);
    expect(await tell(open(connect('me', SESSION)))).toEqual(['CONNACK delivery session window=1024']);
  });

  it('are not ended by an acknowledged SUBSCRIBE that is refused', async () => {
    const { open, sessions } = framesDoor();
    const first = await opened(open, SESSION);
    first.handler.closed();
    const passing = await opened(open, 'delivery refusals');
    send(passing, subscribe('a/#/b', { acknowledged: true }));
    expect(await tell(passing)).toEqual([expect.stringContaining('SUBSCRIBEREFUSED')]);
    passing.handler.closed();
    expect(sessions.count).toBe(1);
  });

  it('of another user are neither taken nor ended by a client that may acknowledge', async () => {
    const { open, sessions } = framesDoor();
    sessions.open({ ...identityOfTest('me'), user: 'anna' }, false, 60_000);
    expect(await tell(open(connect('me', 'delivery')))).toEqual([
      expect.stringContaining('DISCONNECT not-authorized: '),
    ]);
    expect(sessions.get('me')?.owner.user).toBe('anna');
  });

  it('that end with their connection leave messages of a group to another member', async () => {
    const { open } = framesDoor();
    const other = await opened(open, 'acks', 'other');
    const first = await opened(open, 'delivery', 'first');
    send(first, subscribe('$share/g/a', { acknowledged: true }));
    await tell(first);
    send(other, acked('a', '1'));
    expect(await tell(first)).toEqual(['PUBLISH+ a 1']);
    const second = await opened(open, 'delivery', 'second');
    send(second, subscribe('$share/g/a', { acknowledged: true }));
    expect(await tell(second)).toEqual(['SUBACK $share/g/a']);
    first.handler.closed();
    expect((await tell(second)).at(-1)).toContain('PUBLISH+ a 1');
  });

  it.each([
    'session session-expiry=soon',
    'will will=***',
    `will will=${Buffer.from('07000000000000000163', 'hex').toString('base64')}`,
    `will will=${Buffer.from('020001610000', 'hex').toString('base64')}`,
  ])('are refused where the words say nothing: %s', async (offer) => {
    const { open } = framesDoor();
    const me = open(connect('me', offer));
    expect(await tell(me)).toEqual([expect.stringContaining('DISCONNECT invalid-offer: ')]);
  });

  it('publish a will where the connection breaks off, and not where the client says that it goes', async () => {
    const { open } = framesDoor({ guard });
    const watch = await opened(open, 'headers', 'watch');
    send(watch, subscribe('gone'));
    await tell(watch);
    const will = (frame: Uint8Array) => `will headers will=${Buffer.from(frame).toString('base64')}`;
    const bye = encodeFrame(FrameType.disconnect, '', '', 'me');
    const said = publish('gone', 'bye', { headers: [['k', 'v']] });
    const first = await opened(open, will(said));
    send(first, bye);
    expect(await tell(watch)).toEqual([]);
    const second = await opened(open, will(said));
    second.handler.closed();
    expect(await tell(watch)).toEqual(['PUBLISH gone bye {"headers":[["k","v"]]}']);
    const refused = open(connect('me', will(publish('secret', 'x'))));
    expect(await tell(refused)).toEqual([expect.stringContaining('DISCONNECT not-authorized: ')]);
  });
});

/** A client that subscribed to `a` and has two messages that it did not acknowledge. */
async function withTwo(offer: string) {
  const door = framesDoor();
  const me = await opened(door.open, offer);
  const other = await opened(door.open, 'acks', 'other');
  send(me, subscribe('a', { acknowledged: true }));
  await tell(me);
  send(other, acked('a', '1'), acked('a', '2'));
  expect(await tell(me)).toEqual(['PUBLISH+ a 1', 'PUBLISH+ a 2']);
  return { ...door, me, other };
}

async function opened(open: (first: Uint8Array) => FakeConnection, offer: string, id = 'me') {
  const connection = open(connect(id, offer));
  expect((await tell(connection))[0]).toContain('CONNACK');
  return connection;
}

function send(connection: FakeConnection, ...frames: Uint8Array[]): void {
  // What a socket hands over is the broker's own.
  connection.handler.bytes(Buffer.concat(frames));
}

/** What comes until nothing more does: a busy machine has a chunk taken in several turns, each with an ACK of its own. */
async function tell(connection: FakeConnection): Promise<string[]> {
  const all: string[] = [];
  for (let quiet = 0; quiet < 4; quiet++) {
    for (const said of (await connection.frames()).map(told)) {
      const isNewAck = said.startsWith('ACK') && all.at(-1)?.startsWith(said.slice(0, 4)) === true;
      if (isNewAck) all.pop();
      all.push(said);
      quiet = 0;
    }
  }
  return all;
}

/** Keeps everything, and says when it has it. */
class Keeper implements Receiver {
  readonly isFull = false;
  readonly isDurable = true;
  readonly receipts: Receipt[] = [];
  readonly messages: string[] = [];
  /** Of the first message of each run. */
  readonly numbers: number[] = [];

  deliver(publication: Parameters<Receiver['deliver']>[0]): void {
    for (const { topic, payload, qos } of publication.messages()) {
      this.messages.push(`${topic} ${Buffer.from(payload)} qos ${qos}`);
    }
    const { receipt, numbered } = publication;
    if (numbered !== undefined) this.numbers.push(numbered.first);
    if (receipt === undefined) return;
    receipt.hold();
    this.receipts.push(receipt);
  }

  holdBack(): void {}
}
