import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { topicPath } from '../../api/api.ts';
import type { Message } from '../../api/types.ts';
import { FOLLOWED_ROWS, useFollow } from '../../api/use-follow.ts';
import { count, many } from '../../lib/format.ts';
import { Empty } from '../../parts/basics.tsx';
import { MessageView } from './message.tsx';
import { type ListedMessage, MessageList } from './message-list.tsx';

const STATES = { off: '', connecting: 'Connecting …', open: 'Live', ended: 'Ended' } as const;

/** What comes, as it comes. */
export function Follow({ filter }: { filter: string }) {
  const [isPaused, setIsPaused] = useState(false);
  const [selected, setSelected] = useState<ListedMessage>();
  const followed = useFollow<Message>(topicPath(filter), { follow: true }, isPaused);
  const { items, total, perSecond, unseen, state, problem } = followed;
  // The newest is in front, and each keeps its number while others come.
  const listed = useMemo(
    () => items.map((message, index) => ({ key: total - index, message })),
    [items, total],
  );
  usePauseKey(() => setIsPaused((before) => !before));
  return (
    <div class="follow">
      <div class="follow-head">
        <span class={`follow-state follow-${state}`}>
          {isPaused ? `Paused, ${count(unseen)} new` : STATES[state]}
        </span>
        <span class="quiet">
          {many(total, 'message')}, {count(perSecond)} per second
          {total > FOLLOWED_ROWS && `; the newest ${FOLLOWED_ROWS} are here`}
        </span>
        <button type="button" aria-pressed={isPaused} onClick={() => setIsPaused(!isPaused)}>
          {isPaused ? 'Go on' : 'Pause'}
        </button>
      </div>
      {problem && (
        <p class="refusal" role="alert">
          {problem}
        </p>
      )}
      {listed.length === 0 ? (
        <Empty title="Nothing came yet.">
          <p>Messages appear here as they are published.</p>
        </Empty>
      ) : (
        <MessageList
          label="Messages, newest first"
          messages={listed}
          selected={selected}
          onSelect={setSelected}
        />
      )}
      {selected && <MessageView message={selected.message} />}
    </div>
  );
}

/** `p` stops and goes on, where nobody is typing. */
function usePauseKey(toggle: () => void): void {
  const act = useRef(toggle);
  act.current = toggle;
  useEffect(() => {
    function pressed(event: KeyboardEvent) {
      const { target } = event;
      if (event.key !== 'p' || event.ctrlKey || event.metaKey || event.altKey) return;
      if (target instanceof Element && target.closest('input, textarea, select, dialog')) return;
      act.current();
    }
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, []);
}
