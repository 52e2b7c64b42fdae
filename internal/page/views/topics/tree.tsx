import { useId, useMemo, useState } from 'preact/hooks';
import { urlOf } from '../../api/api.ts';
import { rate } from '../../lib/format.ts';
import { type Row, rowsOf, underOf } from '../../lib/tree.ts';
import { Command, Empty } from '../../parts/basics.tsx';
import { VirtualList } from '../../parts/virtual-list.tsx';
import { type Tree, useTree } from './use-tree.ts';

const ROW_HEIGHT = 34;

interface TopicTreeProps {
  chosen: string;
  onChoose(topic: string): void;
}

/** The tree of topics. Arrow keys move, open and close; only the rows in sight are in the document. */
export function TopicTree({ chosen, onChoose }: TopicTreeProps) {
  const tree = useTree();
  const rows = useMemo(() => rowsOf(tree.levels, tree.open), [tree.levels, tree.open]);
  const [activeKey, setActiveKey] = useState('');
  const active = Math.max(
    0,
    rows.findIndex(({ key }) => key === activeKey),
  );
  const id = useId();
  const isEmpty = tree.levels.get('')?.children.length === 0 && tree.levels.get('')?.problem === undefined;
  const act = (row: Row, index: number) => {
    // What comes takes the place of the row that asked for it, so the one before it stays in sight.
    setActiveKey((row.kind === 'more' ? (rows[index - 1] ?? row) : row).key);
    if (row.kind === 'more') tree.more(row.under);
    else if (row.kind === 'topic') onChoose(row.topic.topic);
  };
  if (isEmpty) {
    return (
      <div class="tree">
        <Empty title="There are no topics yet.">
          <p>
            Publish the first message:{' '}
            <Command>{`curl -d 22.5 '${urlOf('topics/sensors/temp')}?retain'`}</Command>
          </p>
        </Empty>
      </div>
    );
  }
  return (
    <VirtualList
      class="tree"
      role="tree"
      aria-label="Topics"
      tabIndex={0}
      aria-activedescendant={rows.length > 0 ? `${id}-${active}` : undefined}
      rows={rows}
      rowHeight={ROW_HEIGHT}
      active={active}
      keyOf={({ key }) => key}
      onSeen={(first, last) => tree.see(levelsOf(rows.slice(first, last)))}
      onKeyDown={(event: KeyboardEvent) => {
        const next = moved(event.key, rows, active, tree);
        if (next === undefined) return;
        event.preventDefault();
        const row = rows[next];
        if (row === undefined) return;
        setActiveKey(row.key);
        if (event.key === 'Enter' || event.key === ' ') act(row, next);
      }}
    >
      {(row, index) => (
        <TreeRow
          id={`${id}-${index}`}
          row={row}
          isActive={index === active}
          isChosen={row.kind === 'topic' && row.topic.topic === chosen}
          onAct={() => act(row, index)}
          onToggle={(isOpen) => row.kind === 'topic' && tree.toggle(underOf(row.topic.topic), isOpen)}
        />
      )}
    </VirtualList>
  );
}

/** The levels of these rows, as they are asked for. */
function levelsOf(rows: readonly Row[]): string[] {
  const unders = rows.map((row) =>
    row.kind === 'topic' ? row.topic.topic.slice(0, -row.topic.name.length || undefined) : row.under,
  );
  return [...new Set(unders)];
}

/** The row that a key leads to; undefined where the key means nothing here. */
function moved(key: string, rows: readonly Row[], active: number, tree: Tree): number | undefined {
  const row = rows[active];
  const last = rows.length - 1;
  switch (key) {
    case 'ArrowDown':
      return Math.min(active + 1, last);
    case 'ArrowUp':
      return Math.max(active - 1, 0);
    case 'Home':
      return 0;
    case 'End':
      return last;
    case 'PageDown':
      return Math.min(active + 10, last);
    case 'PageUp':
      return Math.max(active - 10, 0);
    case 'Enter':
    case ' ':
      return active;
    case 'ArrowRight':
      if (row?.kind !== 'topic' || !row.topic.hasChildren) return active;
      if (row.isOpen) return active + 1;
      tree.toggle(underOf(row.topic.topic), true);
      return active;
    case 'ArrowLeft':
      if (row?.kind === 'topic' && row.isOpen) {
        tree.toggle(underOf(row.topic.topic), false);
        return active;
      }
      return parentOf(rows, active);
    default:
      return undefined;
  }
}

function parentOf(rows: readonly Row[], active: number): number {
  const depth = rows[active]?.depth ?? 1;
  for (let index = active - 1; index >= 0; index--) if ((rows[index]?.depth ?? depth) < depth) return index;
  return active;
}

interface TreeRowProps {
  id: string;
  row: Row;
  isActive: boolean;
  isChosen: boolean;
  onAct(): void;
  onToggle(isOpen: boolean): void;
}

function TreeRow({ id, row, isActive, isChosen, onAct, onToggle }: TreeRowProps) {
  const className = `tree-row ${isActive ? 'tree-active' : ''} ${isChosen ? 'tree-chosen' : ''}`;
  const indent = { paddingLeft: `${(row.depth - 1) * 18 + 8}px` };
  if (row.kind !== 'topic') {
    return (
      // biome-ignore lint/a11y/useFocusableInteractive lint/a11y/useKeyWithClickEvents: the tree has the focus and the keys.
      <div
        id={id}
        role="treeitem"
        aria-level={row.depth}
        class={`${className} tree-${row.kind}`}
        style={indent}
        onClick={onAct}
      >
        {row.text}
      </div>
    );
  }
  const { topic, isOpen, position, size, depth } = row;
  return (
    // biome-ignore lint/a11y/useFocusableInteractive lint/a11y/useKeyWithClickEvents: the tree has the focus and the keys.
    <div
      id={id}
      role="treeitem"
      aria-level={depth}
      aria-posinset={position}
      aria-setsize={size}
      aria-expanded={topic.hasChildren ? isOpen : undefined}
      aria-selected={isChosen}
      class={className}
      style={indent}
      onClick={onAct}
      title={topic.topic}
    >
      {/* For the pointer: arrow keys do the same. */}
      <span
        class={`chevron ${topic.hasChildren ? '' : 'chevron-none'} ${isOpen ? 'chevron-open' : ''}`}
        aria-hidden="true"
        onClick={(event) => {
          if (!topic.hasChildren) return;
          event.stopPropagation();
          onToggle(!isOpen);
        }}
      >
        {topic.hasChildren ? '›' : ''}
      </span>
      <span class="tree-name">{topic.name === '' ? '(empty)' : topic.name}</span>
      {topic.value !== undefined && <span class="unseen">, </span>}
      <span class="tree-value">{topic.value ?? ''}</span>
      <span class="tree-marks">
        {topic.retained && <TreeMark letter="R" title="has a retained message" word="retained" />}
        {topic.log && <TreeMark letter="L" title="is kept in a log" word="kept in a log" />}
        {topic.rate !== undefined && topic.rate > 0 && <span class="tree-rate">{rate(topic.rate)}/s</span>}
      </span>
    </div>
  );
}

interface TreeMarkProps {
  letter: string;
  title: string;
  word: string;
}

/** A letter for who sees it, the word for who hears it. */
function TreeMark({ letter, title, word }: TreeMarkProps) {
  return (
    <span class="mark" title={title}>
      <span aria-hidden="true">{letter}</span>
      <span class="unseen">, {word}</span>
    </span>
  );
}
