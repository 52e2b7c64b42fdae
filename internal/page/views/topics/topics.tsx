import { useState } from 'preact/hooks';
import { urlOf } from '../../api/api.ts';
import type { Route } from '../../lib/route.ts';
import { refine } from '../../lib/use-route.ts';
import { Command, Empty, ViewHead } from '../../parts/basics.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { PublishForm } from './publish.tsx';
import { TopicPane } from './topic.tsx';
import { TopicTree } from './tree.tsx';

/** The topics as a tree, and the one that is chosen. */
export function TopicsView({ route }: { route: Route }) {
  const { topic = '' } = route.query;
  const [isPublishing, setIsPublishing] = useState(false);
  const choose = (chosen: string, tab?: string) =>
    refine(route, { topic: chosen, tab: tab ?? route.query.tab });
  return (
    <>
      <ViewHead title="Topics">
        <FilterField onFollow={(filter) => choose(filter, 'follow')} />
        <button type="button" class="primary" onClick={() => setIsPublishing(true)}>
          Publish
        </button>
      </ViewHead>
      <div class={`topics ${topic === '' ? '' : 'topics-chosen'}`}>
        <TopicTree chosen={topic} onChoose={(chosen) => choose(chosen)} />
        <section class="topic-pane" aria-label="Topic">
          {topic === '' ? (
            <Empty title="Choose a topic.">
              <p>
                Or publish the first message:{' '}
                <Command>{`curl -d 22.5 '${urlOf('topics/sensors/temp')}?retain'`}</Command>
              </p>
            </Empty>
          ) : (
            <TopicPane key={topic} topic={topic} route={route} />
          )}
        </section>
      </div>
      {isPublishing && (
        <Dialog title="Publish a message" onClose={() => setIsPublishing(false)}>
          <PublishForm topic={/[+#]/.test(topic) ? '' : topic} onClose={() => setIsPublishing(false)} />
        </Dialog>
      )}
    </>
  );
}

/** A topic or a filter that somebody knows by heart. */
function FilterField({ onFollow }: { onFollow(filter: string): void }) {
  const [filter, setFilter] = useState('');
  return (
    <form
      class="inline"
      onSubmit={(event) => {
        event.preventDefault();
        if (filter !== '') onFollow(filter);
      }}
    >
      <input
        class="search mono"
        type="search"
        data-search
        aria-label="Topic or filter to follow, such as sensors/#"
        placeholder="sensors/#"
        spellcheck={false}
        autocomplete="off"
        value={filter}
        onInput={({ currentTarget }) => setFilter(currentTarget.value)}
      />
      <button type="submit">Follow</button>
    </form>
  );
}
