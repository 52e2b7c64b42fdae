import { useCallback, useEffect, useState } from 'preact/hooks';
import { ask, onLoginNeeded, type Problem } from './api/api.ts';
import type { Me } from './api/types.ts';
import { rest } from './api/use-query.ts';
import { Frame } from './frame.tsx';
import { MeContext, ReloadMeContext } from './lib/me.ts';
import { useRoute } from './lib/use-route.ts';
import { Refusal } from './parts/basics.tsx';
import { NoticeBoard } from './parts/notices.tsx';
import { viewOf } from './views/all.ts';
import { Login } from './views/login.tsx';

const RETRY_MS = 3_000;

/** The page: who looks at it, and then the view of the place in the address bar. */
export function App() {
  const { me, problem, needsLogin, reload, login } = useMe();
  const route = useRoute();
  if (needsLogin) return <Login onLogin={reload} />;
  if (me === undefined) {
    return (
      <main class="waiting">
        {problem ? <Refusal problem={problem} /> : <p class="loading">Loading …</p>}
      </main>
    );
  }
  const { View } = viewOf(route);
  return (
    <MeContext.Provider value={me}>
      <ReloadMeContext.Provider value={reload}>
        <NoticeBoard>
          <Frame route={route} me={me} onLogin={login} onLogout={reload}>
            <View route={route} />
          </Frame>
        </NoticeBoard>
      </ReloadMeContext.Provider>
    </MeContext.Provider>
  );
}

interface Session {
  me?: Me;
  problem?: Problem;
  needsLogin?: boolean;
}

/** Who the broker says that we are. */
function useMe(): Session & { reload(): void; login(): void } {
  const [session, setSession] = useState<Session>({});
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const ended = new AbortController();
    void untilKnown(setSession, ended.signal);
    return () => ended.abort();
  }, [turn]);
  const login = useCallback(() => setSession({ needsLogin: true }), []);
  useEffect(() => onLoginNeeded(login), [login]);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  return { ...session, reload, login };
}

async function untilKnown(told: (session: Session) => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      told({ me: await ask<Me>('me', { signal }) });
      return;
    } catch (error) {
      if (signal.aborted || (error as Problem).status === 401) return;
      told({ problem: error as Problem });
    }
    await rest(RETRY_MS, signal);
  }
}
