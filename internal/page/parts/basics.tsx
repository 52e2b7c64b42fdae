import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import type { Problem } from '../api/api.ts';
import type { Paged } from '../api/types.ts';
import type { Pages } from '../api/use-pages.ts';
import type { Query } from '../api/use-query.ts';
import { count } from '../lib/format.ts';

/** The head of a view: its name, and what can be done there. */
export function ViewHead({ title, children }: { title: ComponentChildren; children?: ComponentChildren }) {
  return (
    <header class="view-head">
      <h1 tabIndex={-1}>{title}</h1>
      <div class="view-tools">{children}</div>
    </header>
  );
}

/** A part of a view with a heading. */
export function Card({ title, tools, children }: CardProps) {
  const heading = useId();
  return (
    <section class="card" aria-labelledby={heading}>
      <header class="card-head">
        <h2 id={heading}>{title}</h2>
        {tools}
      </header>
      {children}
    </section>
  );
}

interface CardProps {
  title: string;
  tools?: ComponentChildren;
  children: ComponentChildren;
}

/** What stands where there is nothing yet, and what to do so that there is. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

export function Command({ children }: { children: string }) {
  return <code class="command">{children}</code>;
}

/** A refusal of the broker: what is wrong and what to do. */
export function Refusal({ problem }: { problem: Problem }) {
  return (
    <div class="refusal" role="alert">
      <p>{problem.message}</p>
      {problem.remedy && <p class="remedy">{problem.remedy}</p>}
    </div>
  );
}

/** What a query answered; before that, or instead of it, why not. */
export function Answer<T>({
  query,
  children,
}: {
  query: Query<T>;
  children: (data: T) => ComponentChildren;
}) {
  const { data, problem } = query;
  if (data === undefined) return problem ? <Refusal problem={problem} /> : <p class="loading">Loading …</p>;
  return (
    <>
      {problem && <Refusal problem={problem} />}
      {children(data)}
    </>
  );
}

/** Names and values. What is undefined is left out. */
export function Facts({ facts }: { facts: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {facts
        .filter(([, value]) => value !== undefined && value !== null && value !== '')
        .map(([name, value], index) => (
          <div key={`${index} ${name}`}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

/** A word with a colour, which says no more than the word. */
export function Badge({ kind = 'plain', children }: { kind?: BadgeKind; children: ComponentChildren }) {
  return <span class={`badge badge-${kind}`}>{children}</span>;
}

export type BadgeKind = 'plain' | 'accent' | 'good' | 'warn' | 'bad';

interface FieldProps {
  label: string;
  /** A sentence below it. */
  hint?: string;
  children: (id: string, hintId: string | undefined) => ComponentChildren;
}

/** A control with its label. */
export function Field({ label, hint, children }: FieldProps) {
  const id = useId();
  const hintId = hint === undefined ? undefined : `${id}-hint`;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children(id, hintId)}
      {hint && (
        <p class="hint" id={hintId}>
          {hint}
        </p>
      )}
    </div>
  );
}

interface LinesProps {
  label: string;
  hint?: string;
  name: string;
  lines?: readonly string[];
  placeholder?: string;
}

/** A field for names, one on each line. */
export function Lines({ label, hint, name, lines = [], placeholder }: LinesProps) {
  return (
    <Field label={label} hint={hint}>
      {(id, hintId) => (
        <textarea
          id={id}
          aria-describedby={hintId}
          class="mono"
          name={name}
          rows={Math.min(8, Math.max(2, lines.length))}
          defaultValue={lines.join('\n')}
          placeholder={placeholder}
          spellcheck={false}
        />
      )}
    </Field>
  );
}

interface SearchProps {
  label: string;
  value: string;
  onSearch(value: string): void;
}

/** The field that `/` goes to. */
export function Search({ label, value, onSearch }: SearchProps) {
  return (
    <input
      type="search"
      class="search"
      aria-label={label}
      placeholder={label}
      data-search
      spellcheck={false}
      autocomplete="off"
      value={value}
      onInput={({ currentTarget }) => onSearch(currentTarget.value)}
    />
  );
}

/** The way through the pages of a list. */
export function Pager<T extends Paged>({ pages, shown }: { pages: Pages<T>; shown: number }) {
  const { data, page, first, next } = pages;
  if (first === undefined && next === undefined) {
    return <p class="pager">{count(data?.total ?? shown)} in all</p>;
  }
  return (
    <nav class="pager" aria-label="Pages">
      <button type="button" disabled={first === undefined} onClick={first}>
        Previous
      </button>
      <span>
        Page {page}
        {data?.total !== undefined && ` · ${count(data.total)} in all`}
      </span>
      <button type="button" disabled={next === undefined} onClick={next}>
        Next
      </button>
    </nav>
  );
}
