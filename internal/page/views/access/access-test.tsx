import { useState } from 'preact/hooks';
import { ask, type Problem } from '../../api/api.ts';
import type { Verdict } from '../../api/types.ts';
import { Refusal } from '../../parts/basics.tsx';
import { Answered, QuestionFields, questionIn } from './question.tsx';

/** Asks the rules whether somebody may do something, and which rule says so. */
export function AccessTest() {
  const [verdict, setVerdict] = useState<Verdict>();
  const [problem, setProblem] = useState<Problem>();
  async function submitted(event: SubmitEvent) {
    event.preventDefault();
    const json = questionIn(new FormData(event.currentTarget as HTMLFormElement));
    try {
      setVerdict(await ask<Verdict>('rules/test', { method: 'POST', json }));
      setProblem(undefined);
    } catch (error) {
      setVerdict(undefined);
      setProblem(error as Problem);
    }
  }
  return (
    <>
      <form class="card fields" onSubmit={submitted}>
        <QuestionFields />
        <button type="submit" class="primary">
          Ask the rules
        </button>
      </form>
      <div aria-live="polite">
        {problem && <Refusal problem={problem} />}
        {verdict && (
          <div class="card verdict">
            <Answered verdict={verdict} />
          </div>
        )}
      </div>
    </>
  );
}
