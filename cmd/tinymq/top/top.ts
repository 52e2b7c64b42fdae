import { setTimeout as delay } from 'node:timers/promises';
import { Failure } from '../../../internal/lib/failure.ts';
import { jsonLine } from '../../../internal/lib/printable.ts';
import { systemReason } from '../../../internal/lib/system-reason.ts';
import { coloursFor, command } from '../../cli/run-program.ts';
import { type RunningBroker, withBroker } from '../reach/reach.ts';
import { note } from '../report.ts';
import { topProgram } from './flags.ts';
import { Screen } from './screen.ts';
import { type Sample, type Snapshot, sampleOf, takeSnapshot } from './snapshot.ts';
import { lineOf, SORTS, type SortKey, screenOf } from './view.ts';

/** The clients and topics that a sample in a pipe has. */
const MOST_IN_JSON = 20;

/** What is shown of samples, and of why there is none. */
interface Display extends Disposable {
  show(sample: Sample): void;
  /** @param said undefined where all is well again. */
  tell(said: string | undefined): void;
}

export const top = command(topProgram, async (invocation) => {
  const { interval, count = Number.POSITIVE_INFINITY, json } = invocation.values;
  const quit = new AbortController();
  const stop = AbortSignal.any([invocation.stop, quit.signal]);
  await withBroker(invocation, async (broker) => {
    const first = await takeSnapshot(broker);
    const isLive = process.stdout.isTTY && process.stdin.isTTY && !json;
    using display = isLive ? terminalDisplay(() => quit.abort()) : pipeDisplay(json);
    try {
      await watch(broker, first, { interval, count, stop }, display);
    } catch (error) {
      if (!stop.aborted) throw error;
    }
  });
});

interface Watching {
  interval: number;
  count: number;
  stop: AbortSignal;
}

/** Takes samples until somebody ends it. A broker that does not answer is asked again. */
async function watch(
  broker: RunningBroker,
  first: Snapshot,
  { interval, count, stop }: Watching,
  display: Display,
): Promise<void> {
  let before: Snapshot | undefined = first;
  for (let taken = 0; taken < count; ) {
    await delay(interval, undefined, { signal: stop });
    try {
      const now = await takeSnapshot(broker);
      // A broker that was started anew has counted nothing yet that could be compared.
      if (before?.overview.startedAt === now.overview.startedAt) {
        display.show(sampleOf(before, now));
        taken++;
      }
      display.tell(undefined);
      before = now;
    } catch (error) {
      before = undefined;
      display.tell(`no answer from the broker: ${reasonOf(error)}; asking again`);
    }
  }
}

/** @throws the error itself where it is a fault of this program. */
function reasonOf(error: unknown): string {
  if (error instanceof Failure) return error.message;
  if (typeof (error as NodeJS.ErrnoException).code !== 'string') throw error;
  return systemReason(error);
}

function pipeDisplay(json: boolean): Display {
  let told: string | undefined;
  return {
    show({ clients, topics, ...sample }) {
      const { of } = SORTS.b;
      const busiest = clients.toSorted((a, b) => of(b) - of(a)).slice(0, MOST_IN_JSON);
      const shown = { ...sample, clients: busiest, topics: topics.slice(0, MOST_IN_JSON) };
      process.stdout.write(json ? jsonLine(shown) : lineOf(shown));
    },
    tell(said) {
      if (said !== told && said !== undefined) note(said);
      told = said;
    },
    [Symbol.dispose]() {},
  };
}

function terminalDisplay(quit: () => void): Display {
  const colours = coloursFor(process.stdout);
  const mark = { title: colours.inverse, problem: colours.red };
  let sample: Sample | undefined;
  let problem: string | undefined;
  let sort: SortKey = 'b';
  const screen = new Screen((key) => {
    if (key === 'q') quit();
    if (!Object.hasOwn(SORTS, key)) return;
    sort = key as SortKey;
    redraw();
  }, redraw);
  redraw();
  return {
    show(next) {
      sample = next;
      problem = undefined;
      redraw();
    },
    tell(said) {
      if (said === problem) return;
      problem = said;
      redraw();
    },
    [Symbol.dispose]: () => screen[Symbol.dispose](),
  };

  function redraw(): void {
    if (sample === undefined) screen.draw([problem ?? 'The first sample comes in a moment; q ends it.']);
    else screen.draw(screenOf(sample, { ...screen.size, sort, problem, mark }));
  }
}
