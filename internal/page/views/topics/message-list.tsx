import type { Message } from '../../api/types.ts';
import { clock } from '../../lib/format.ts';
import { preview } from '../../lib/payload.ts';
import { VirtualList } from '../../parts/virtual-list.tsx';

const ROW_HEIGHT = 32;

/** A message in a list, with a number that no other in it has. */
export interface ListedMessage {
  key: number;
  message: Message;
}

interface MessageListProps {
  label: string;
  messages: readonly ListedMessage[];
  selected: ListedMessage | undefined;
  onSelect(message: ListedMessage): void;
}

/** Messages a line each. */
export function MessageList({ label, messages, selected, onSelect }: MessageListProps) {
  return (
    <VirtualList
      class="messages"
      role="group"
      aria-label={label}
      rows={messages}
      rowHeight={ROW_HEIGHT}
      keyOf={({ key }) => key}
    >
      {(listed) => {
        const { topic, publishedAt, offset } = listed.message;
        return (
          <button
            type="button"
            class="message-row"
            aria-pressed={listed.key === selected?.key}
            onClick={() => onSelect(listed)}
          >
            {offset !== undefined && <span class="message-offset">{offset}</span>}
            {publishedAt && <span class="message-time">{clock(publishedAt)}</span>}
            <span class="message-topic">{topic}</span>
            <span class="message-text">{preview(listed.message)}</span>
          </button>
        );
      }}
    </VirtualList>
  );
}
