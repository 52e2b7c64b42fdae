import { useEffect, useState } from 'preact/hooks';
import { askLines, type Problem, topicPath } from '../../api/api.ts';
import type { Message } from '../../api/types.ts';
import { Command, Empty, Field, Refusal } from '../../parts/basics.tsx';
import { LogPartitions } from './log-partitions.tsx';
import { MessageView } from './message.tsx';
import { type ListedMessage, MessageList } from './message-list.tsx';

type Start = 'earliest' | 'hour' | 'offset' | 'time';

interface Found {
  messages?: readonly ListedMessage[];
  problem?: Problem;
}

const LIMITS = [50, 200, 1000] as const;

/** Reads a log from an offset or a time on. */
export function LogBrowser({ filter }: { filter: string }) {
  const [start, setStart] = useState<Start>('earliest');
  const [value, setValue] = useState('');
  const [limit, setLimit] = useState<number>(LIMITS[0]);
  const [from, setFrom] = useState('earliest');
  const [turn, setTurn] = useState(0);
  const [selected, setSelected] = useState<ListedMessage>();
  const { messages, problem } = useMessages(filter, { from, limit, turn });
  const log = onlyLogOf(messages);
  function submitted(event: SubmitEvent) {
    event.preventDefault();
    setFrom(startOf(start, value));
    setTurn(turn + 1);
  }
  return (
    <div class="log">
      <form class="fields" onSubmit={submitted}>
        <Field label="Read from">
          {(id) => (
            <select
              id={id}
              value={start}
              onChange={({ currentTarget }) => {
                setStart(currentTarget.value as Start);
                setValue('');
              }}
            >
              <option value="earliest">the first message</option>
              <option value="hour">an hour ago</option>
              <option value="offset">an offset</option>
              <option value="time">a time</option>
            </select>
          )}
        </Field>
        {(start === 'offset' || start === 'time') && (
          <Field label={start === 'offset' ? 'Offset' : 'Time'}>
            {(id) => (
              <input
                id={id}
                required
                type={start === 'offset' ? 'number' : 'datetime-local'}
                min={start === 'offset' ? 0 : undefined}
                step={1}
                value={value}
                onInput={({ currentTarget }) => setValue(currentTarget.value)}
              />
            )}
          </Field>
        )}
        <Field label="Messages">
          {(id) => (
            <select
              id={id}
              value={limit}
              onChange={({ currentTarget }) => setLimit(Number(currentTarget.value))}
            >
              {LIMITS.map((each) => (
                <option key={each} value={each}>
                  {each}
                </option>
              ))}
            </select>
          )}
        </Field>
        <button type="submit" class="primary">
          Read
        </button>
      </form>
      {problem?.code === 'no-log' ? <NoLog filter={filter} /> : problem && <Refusal problem={problem} />}
      {messages?.length === 0 && (
        <Empty title="There is nothing from there on.">
          <p>
            Topics that no log keeps have no past. Keep them with{' '}
            <Command>{`broker -keep '${filter}'`}</Command>
          </p>
        </Empty>
      )}
      {messages && messages.length > 0 && (
        <>
          <MessageList
            label="Messages of the log"
            messages={messages}
            selected={selected}
            onSelect={setSelected}
          />
          <Further messages={messages} limit={limit} onGo={(offset) => setFrom(String(offset))} />
        </>
      )}
      {selected && <MessageView message={selected.message} />}
      {log !== undefined && <LogPartitions log={log} />}
    </div>
  );
}

/** Undefined also where messages are of several. */
function onlyLogOf(messages: Found['messages'] = []): string | undefined {
  const [log, ...others] = new Set(messages.map(({ message }) => message.log));
  return others.length === 0 ? log : undefined;
}

/** The way to what follows: of one partition by its offsets. */
function Further({
  messages,
  limit,
  onGo,
}: {
  messages: readonly ListedMessage[];
  limit: number;
  onGo(offset: number): void;
}) {
  const last = messages.at(-1)?.message;
  const first = messages[0]?.message;
  const isOne = new Set(messages.map(({ message }) => `${message.log}/${message.partition}`)).size === 1;
  if (last?.offset === undefined || first?.offset === undefined) return null;
  const [from, to] = [first.offset, last.offset];
  return (
    <nav class="pager" aria-label="Pages of the log">
      <button type="button" disabled={!isOne || from === 0} onClick={() => onGo(Math.max(0, from - limit))}>
        Earlier
      </button>
      <span>{isOne ? `Offsets ${from} to ${to}` : `${messages.length} messages of several partitions`}</span>
      <button type="button" disabled={!isOne || messages.length < limit} onClick={() => onGo(to + 1)}>
        Later
      </button>
    </nav>
  );
}

function NoLog({ filter }: { filter: string }) {
  return (
    <Empty title="This broker keeps no log.">
      <p>
        Start it with a filter of what to keep: <Command>{`broker -keep '${filter}'`}</Command>
      </p>
    </Empty>
  );
}

function useMessages(
  filter: string,
  { from, limit, turn }: { from: string; limit: number; turn: number },
): Found {
  const [found, setFound] = useState<Found>({});
  useEffect(() => {
    const ended = new AbortController();
    const { signal } = ended;
    askLines<Message>(topicPath(filter), { query: { from, limit }, signal }).then(
      (messages) => setFound({ messages: messages.map((message, key) => ({ key, message })) }),
      (problem: Problem) => !signal.aborted && setFound({ problem }),
    );
    return () => ended.abort();
  }, [filter, from, limit, turn]);
  return found;
}

function startOf(start: Start, value: string): string {
  if (start === 'hour') return '-1h';
  if (start === 'time') return new Date(value).toISOString();
  return start === 'offset' ? value : 'earliest';
}
