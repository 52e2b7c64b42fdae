import fc from 'fast-check';
import { expect, it } from 'vitest';
import { bytesOf, GOLDEN_FRAMES, GOLDEN_MEANINGS } from '../../../test/golden/frames.ts';
import type { FakeConnection } from '../../../test/support/fake-connection.ts';
import { acked, connect, counted, publish, subscribe } from '../../../test/support/frame-words.ts';
import { framesDoor } from '../../../test/support/frames-door.ts';
import { ERRORS } from '../../errors.ts';
import { ANY_CREDIT, encodeAck, encodeCredit, encodeReturn } from '../../protocol/frame/acknowledgements.ts';
import { EXTENSIONS, type Extension } from '../../protocol/frame/extensions.ts';
import { encodeFrame, type Frame, FrameBit, FrameType } from '../../protocol/frame/frame.ts';

/** `make fuzz` looks for longer; FUZZ_SEED repeats a run that failed. */
const SECONDS = Number(process.env.FUZZ_SECONDS ?? 3);
const SEED = process.env.FUZZ_SEED === undefined ? undefined : Number(process.env.FUZZ_SEED);
const { acknowledged, once, properties } = FrameBit;
const OFFERED = EXTENSIONS.filter((name) => name !== 'credentials');
const WORDS = 'producer=p window=5 session-expiry=1 will=IgAEZ29uZQAAAAFjAAFj';

const right = fc.oneof(
  fc.record({ retain: fc.boolean(), header: fc.string({ maxLength: 5 }) }).map(({ retain, header }) => {
    const said = {
      ...(retain ? { retain } : {}),
      headers: [['h', header.replaceAll('\0', '')]] as [string, string][],
    };
    return acked('a', 'x', said);
  }),
  fc.constantFrom(
    acked('a', 'x'),
    counted('a', 'x'),
    publish('a', 'x'),
    counted('a', 'x', { expiresInMs: 1 }),
  ),
  fc.constantFrom(
    subscribe('a', { acknowledged: true }),
    subscribe('#'),
    subscribe('a', { noLocal: true, retainHandling: 'always' }),
    subscribe('$replay/earliest/a'),
  ),
  fc.nat(9).map((upTo) => encodeAck(acknowledged, upTo)),
  fc.nat(9).map((number) => encodeReturn({ number, afterMs: number % 2, reason: '' })),
  fc.nat(9).map((messages) => encodeCredit({ messages, bytes: ANY_CREDIT })),
  fc.constant(encodeFrame(FrameType.ping, '', '', 'me')),
);
const damaged = fc
  .record({
    golden: fc.constantFrom(...GOLDEN_MEANINGS, ...GOLDEN_FRAMES.filter(({ hex }) => hex.length < 500)),
    at: fc.nat(),
    value: fc.nat(255),
    isDamaged: fc.boolean(),
  })
  .map(({ golden, at, value, isDamaged }) => {
    const bytes = bytesOf(golden);
    if (isDamaged) bytes[at % bytes.length] = value;
    return bytes;
  });
const script = fc.record({
  offered: fc.subarray([...OFFERED]),
  hasWords: fc.boolean(),
  chunks: fc.array(fc.array(fc.oneof({ weight: 4, arbitrary: right }, damaged), { maxLength: 8 }), {
    maxLength: 8,
  }),
  cut: fc.nat(50),
});

it(
  'whatever frames of extensions come, a client is told nothing but what it agreed on, and the broker goes on',
  async () => {
    await fc.assert(fc.asyncProperty(script, holds), {
      seed: SEED,
      numRuns: Number.MAX_SAFE_INTEGER,
      interruptAfterTimeLimit: SECONDS * 1000,
      markInterruptAsFailure: false,
    });
  },
  (SECONDS + 60) * 1000,
);

async function holds({
  offered,
  hasWords,
  chunks,
  cut,
}: typeof script extends fc.Arbitrary<infer T> ? T : never) {
  const { open, metrics, connected, door } = framesDoor();
  const me = open();
  me.handler.bytes(Buffer.from(connect('me', [...offered, ...(hasWords ? [WORDS] : [])].join(' '))));
  const agreed = new Set<Extension>(offered);
  const got = await told(me);
  for (const frames of chunks) {
    const bytes = Buffer.concat(frames);
    for (const part of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
      if (!me.isEnded && part.length > 0) me.handler.bytes(Buffer.from(part));
    }
    got.push(...(await told(me)));
  }
  for (const frame of got) expectAgreed(frame, agreed);
  const last = got.filter(({ type }) => type === FrameType.disconnect);
  expect(last.length).toBeLessThanOrEqual(1);
  for (const { payload } of last)
    expect(Object.keys(ERRORS)).toContain(String(Buffer.from(payload)).split(':')[0]);
  expect(metrics.snapshot()['disconnects_total{code="internal-error"}']).toBeUndefined();
  const other = await connected('other', 'b');
  other.handler.bytes(Buffer.concat([publish('b', 'still here', {}, 'other')]));
  expect((await told(other)).map(({ topic }) => topic)).toEqual(['b']);
  for (const connection of [me, other]) connection.handler.closed();
  expect(metrics.snapshot()).toMatchObject({ clients: 0 });
  await door.close(0);
}

async function told(connection: FakeConnection): Promise<Frame[]> {
  const frames: Frame[] = [];
  for (let turn = 0; turn < 4; turn++) frames.push(...(await connection.frames()));
  return frames;
}

/** Whether a frame is one that a client of these extensions may be sent. */
function expectAgreed({ type }: Frame, agreed: ReadonlySet<Extension>): void {
  const has = (...names: Extension[]) => names.some((name) => agreed.has(name));
  const kind = type & 0x0f;
  if (type & properties) expect(has('retain', 'headers', 'expiry', 'offsets', 'delivery')).toBe(true);
  if (type & once) expect(has('once')).toBe(true);
  if (type & acknowledged) {
    expect(kind === FrameType.publish || kind === FrameType.replayed ? has('delivery') : has('acks')).toBe(
      true,
    );
  }
  expect(type & 0x80).toBe(0);
  const isCounted = (type & (acknowledged | once)) !== 0;
  if (kind === FrameType.publishRefused) expect(isCounted || has('refusals')).toBe(true);
  if (kind === FrameType.subscribeRefused) expect(has('refusals')).toBe(true);
  if (kind === FrameType.position || kind === FrameType.replayed) expect(has('positions')).toBe(true);
  if (kind === FrameType.acknowledge) expect(isCounted).toBe(true);
  expect(kind).not.toBe(FrameType.credit);
}
