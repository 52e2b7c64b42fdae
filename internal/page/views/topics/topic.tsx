import { topicPath } from '../../api/api.ts';
import type { Message } from '../../api/types.ts';
import { LIVE_MS, useQuery } from '../../api/use-query.ts';
import type { Route } from '../../lib/route.ts';
import { refine } from '../../lib/use-route.ts';
import { Empty, Refusal } from '../../parts/basics.tsx';
import { Tabs } from '../../parts/tabs.tsx';
import { Follow } from './follow.tsx';
import { LogBrowser } from './log.tsx';
import { MessageView } from './message.tsx';
import { PublishForm } from './publish.tsx';

const TABS = [
  { id: 'last', name: 'Last message' },
  { id: 'follow', name: 'Follow' },
  { id: 'log', name: 'Log' },
  { id: 'publish', name: 'Publish' },
] as const;

/** A topic, or all that a filter matches. */
export function TopicPane({ topic, route }: { topic: string; route: Route }) {
  const isFilter = /[+#]/.test(topic);
  const tabs = isFilter ? TABS.filter(({ id }) => id === 'follow' || id === 'log') : TABS;
  const { id: selected } = tabs.find(({ id }) => id === route.query.tab) ?? tabs[0] ?? TABS[0];
  return (
    <>
      <header class="topic-head">
        <button
          type="button"
          class="topic-back"
          onClick={() => refine(route, { topic: undefined, tab: undefined })}
        >
          ‹ All topics
        </button>
        <h2 class="mono name">{topic}</h2>
      </header>
      <Tabs label="Topic" tabs={tabs} selected={selected} onSelect={(tab) => refine(route, { tab })}>
        {selected === 'last' && <LastMessage topic={topic} />}
        {selected === 'follow' && <Follow filter={topic} />}
        {selected === 'log' && <LogBrowser filter={topic} />}
        {selected === 'publish' && <PublishForm topic={topic} isTopicFixed />}
      </Tabs>
    </>
  );
}

function LastMessage({ topic }: { topic: string }) {
  const { data, problem } = useQuery<Message>(topicPath(topic), {}, LIVE_MS);
  if (problem?.code === 'no-message') {
    return (
      <Empty title="This topic has no last message.">
        <p>
          It has one if a message is published with retain, or if a log keeps it. Follow it to see what comes.
        </p>
      </Empty>
    );
  }
  if (problem) return <Refusal problem={problem} />;
  return data === undefined ? <p class="loading">Loading …</p> : <MessageView message={data} />;
}
