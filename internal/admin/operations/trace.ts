import { THE_BROKER } from '../../access/policy.ts';
import { longestTraceSeconds, traceSeconds } from '../../limits/observe.ts';
import type { TracedStep, TraceQuestion } from '../../observe/tracing.ts';
import { defineStream, number, objectOf, text, texts, time } from '../operation.ts';

/** A step of a message, as it is shown. */
export interface ShownStep extends TracedStep {
  readonly at: string;
}

export interface TraceQuery extends TraceQuestion {
  /** Seconds. */
  readonly for?: number;
}

export const traceMessages = defineStream<TraceQuery, ShownStep>({
  name: 'trace',
  summary:
    'Shows what messages meet on their way, as it happens: server-sent events, which end by themselves.',
  ...{ path: '/trace', needs: { action: 'admin', resource: THE_BROKER } },
  query: objectOf(
    {
      filter: { ...text, description: 'Messages of the topics that this filter matches.' },
      client: { ...text, description: 'Messages from or to the client with this id.' },
      name: { ...text, description: 'One of both.' },
      for: {
        ...{ type: 'integer', minimum: 1, maximum: longestTraceSeconds, default: traceSeconds },
        description: 'Seconds until it ends.',
      },
    },
    [],
  ),
  event: objectOf(
    {
      ...{ at: time, step: text, topic: text, client: text, publisher: text, user: text, door: text },
      ...{
        remote: text,
        filters: texts,
        qos: number,
        retain: { type: 'boolean' },
        bytes: number,
        count: number,
      },
      ...{
        waiting: number,
        log: text,
        partition: number,
        offset: number,
        code: text,
        message: text,
        rule: text,
        traceparent: text,
      },
    },
    ['at', 'step'],
  ),
  open({ broker }, { for: seconds = traceSeconds, ...question }, send, end) {
    const tell = (step: TracedStep, atMs: number) => send({ at: new Date(atMs).toISOString(), ...step });
    const stop = broker.tracing.start(question, tell, end);
    const timer = broker.clock.after(1_000 * seconds, end);
    return () => {
      timer.cancel();
      stop();
    };
  },
});
