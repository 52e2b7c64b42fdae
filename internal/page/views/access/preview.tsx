import { useEffect, useState } from 'preact/hooks';
import { ask, type Problem } from '../../api/api.ts';
import type { Loss, Preview } from '../../api/types.ts';
import { count, many } from '../../lib/format.ts';
import { Refusal } from '../../parts/basics.tsx';

/** A change of users or rules, as the broker takes it to say what it would end. */
export type Change = { readonly kind: string } & Readonly<Record<string, unknown>>;

/** What somebody wants to know of a change: whether a user may do something. */
export type Question = Readonly<Record<string, unknown>>;

/** @throws Problem. */
export function previewOf(change: Change, question?: Question): Promise<Preview> {
  return ask<Preview>('access/preview', { method: 'POST', json: { change, question } });
}

/** Whether nobody would lose anything by a change. */
export function isHarmless({ mayYouAdminister, mayAnybodyAdminister, closes, lossCount }: Preview): boolean {
  return mayYouAdminister && mayAnybodyAdminister && !closes && lossCount === 0;
}

/** Losses that are named one by one. */
const NAMED = 10;

/** Who would lose what by a change. */
export function Effects({ preview }: { preview: Preview }) {
  const { mayAnybodyAdminister, mayYouAdminister, closes, losses, lossCount } = preview;
  if (isHarmless(preview)) return <p class="hint">Nobody who is connected loses anything by this.</p>;
  return (
    <div class="effects" role="alert">
      {!mayAnybodyAdminister && (
        <p class="effects-lock">
          <b>Nobody could administer this broker over HTTP any more</b>, you neither: only its owner, with{' '}
          <code>tinymq</code> on its machine.
        </p>
      )}
      {mayAnybodyAdminister && !mayYouAdminister && !closes && (
        <p class="effects-lock">
          <b>You could not administer this broker any more.</b>
        </p>
      )}
      {closes && (
        <p>
          From then on clients have to show who they are, on every door, and you have to log in. What no rule
          allows is refused.
        </p>
      )}
      {lossCount > 0 && (
        <>
          <p>What ends at once, as it is not allowed any more ({count(lossCount)}):</p>
          <ul>
            {losses.slice(0, NAMED).map((loss) => (
              <li key={`${loss.client} ${loss.remote} ${loss.filter}`}>
                <LossText loss={loss} />
              </li>
            ))}
            {lossCount > NAMED && <li>and {many(lossCount - NAMED, 'other')}</li>}
          </ul>
        </>
      )}
    </div>
  );
}

function LossText({ loss: { client, user, door, remote, filter, reason, rule } }: { loss: Loss }) {
  const who = client === '' ? remote : client;
  return (
    <>
      the connection of <b class="name">{who}</b>
      {user !== undefined && user !== client && <span class="name"> (user {user})</span>} at the door {door}
      {filter !== undefined && (
        <>
          , for its subscription to <b class="mono name">{filter}</b>
        </>
      )}
      <span class="sub name">{rule ?? reason}</span>
    </>
  );
}

/** The effects of a change that somebody is asked about. */
export function EffectsOf({ change }: { change: Change }) {
  const [preview, setPreview] = useState<Preview>();
  const [problem, setProblem] = useState<Problem>();
  useEffect(() => {
    let isGone = false;
    previewOf(change).then(
      (found) => !isGone && setPreview(found),
      (error: Problem) => !isGone && setProblem(error),
    );
    return () => {
      isGone = true;
    };
  }, []);
  if (problem !== undefined) return <Refusal problem={problem} />;
  return preview === undefined ? (
    <p class="loading">Looking who would lose what …</p>
  ) : (
    <Effects preview={preview} />
  );
}

interface Checked {
  /** What was found; undefined while nothing was, or something else is in the form by now. */
  preview: Preview | undefined;
  /** Whether a change may be made: nobody loses anything by it, or somebody has read who does. */
  mayGoOn(change: Change, question?: Question): Promise<boolean>;
  /** Looks without going on. */
  look(change: Change, question?: Question): Promise<void>;
  /** Something else is in the form. */
  forget(): void;
}

/** Has whoever sends a form read first who would lose what. */
export function useChecked(): Checked {
  const [preview, setPreview] = useState<Preview>();
  const [readOf, setReadOf] = useState<string>();
  async function look(change: Change, question?: Question) {
    setPreview(await previewOf(change, question));
    setReadOf(JSON.stringify(change));
  }
  return {
    preview,
    look,
    async mayGoOn(change, question) {
      if (readOf === JSON.stringify(change)) return true;
      const found = await previewOf(change, question);
      if (isHarmless(found)) return true;
      setPreview(found);
      setReadOf(JSON.stringify(change));
      return false;
    },
    forget() {
      setPreview(undefined);
      setReadOf(undefined);
    },
  };
}
