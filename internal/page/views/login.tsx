import { useEffect, useRef, useState } from 'preact/hooks';
import { ask, type Problem } from '../api/api.ts';
import { Field, Refusal } from '../parts/basics.tsx';

/** Asks who is there, where the broker wants to know. */
export function Login({ onLogin }: { onLogin(): void }) {
  const [problem, setProblem] = useState<Problem>();
  const [isBusy, setIsBusy] = useState(false);
  const user = useRef<HTMLInputElement>(null);
  useEffect(() => {
    document.title = 'Log in · tinymq';
    user.current?.focus();
  }, []);
  async function submitted(event: SubmitEvent) {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setIsBusy(true);
    try {
      const json = { user: String(form.get('user')), password: String(form.get('password')) };
      await ask('login', { method: 'POST', json });
      onLogin();
    } catch (error) {
      setProblem(error as Problem);
      setIsBusy(false);
      user.current?.focus();
    }
  }
  return (
    <main class="login">
      <form class="card" onSubmit={submitted}>
        <h1>Log in to tinymq</h1>
        {problem && <Refusal problem={problem} />}
        <Field label="User">
          {(id) => (
            <input id={id} ref={user} name="user" autocomplete="username" required spellcheck={false} />
          )}
        </Field>
        <Field label="Password">
          {(id) => <input id={id} name="password" type="password" autocomplete="current-password" required />}
        </Field>
        <button type="submit" class="primary" disabled={isBusy}>
          Log in
        </button>
      </form>
    </main>
  );
}
