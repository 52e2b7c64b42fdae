import type { ComponentChildren } from 'preact';
import { createContext } from 'preact';
import { useCallback, useContext, useMemo, useRef, useState } from 'preact/hooks';
import type { Problem } from '../api/api.ts';

interface Notice {
  id: number;
  kind: 'done' | 'problem';
  text: string;
  remedy?: string;
}

/** Says what came of what somebody did. */
export interface Notices {
  done(text: string): void;
  failed(error: unknown): void;
}

const Context = createContext<Notices>({ done: () => {}, failed: () => {} });

export function useNotices(): Notices {
  return useContext(Context);
}

const DONE_MS = 5_000;
const MOST = 4;

/** Keeps the notices and shows them in a corner; screen readers hear each of them once. */
export function NoticeBoard({ children }: { children: ComponentChildren }) {
  const [notices, setNotices] = useState<readonly Notice[]>([]);
  const ids = useRef(0);
  const remove = useCallback((id: number) => setNotices((all) => all.filter((each) => each.id !== id)), []);
  const value = useMemo<Notices>(() => {
    const add = (notice: Omit<Notice, 'id'>) => {
      const id = ++ids.current;
      setNotices((all) => [...all.slice(1 - MOST), { ...notice, id }]);
      if (notice.kind === 'done') setTimeout(remove, DONE_MS, id);
    };
    return {
      done: (text) => add({ kind: 'done', text }),
      failed: (error) => {
        const { message, remedy } = error as Problem;
        add({ kind: 'problem', text: message, remedy });
      },
    };
  }, [remove]);
  return (
    <Context.Provider value={value}>
      {children}
      <div class="notices" role="status" aria-label="Notices">
        {notices.map((notice) => (
          <div key={notice.id} class={`notice notice-${notice.kind}`}>
            <p>
              {notice.text}
              {notice.remedy && <span class="remedy">{notice.remedy}</span>}
            </p>
            <button
              type="button"
              class="icon-button"
              aria-label="Dismiss this notice"
              onClick={() => remove(notice.id)}
            >
              ×
            </button>
          </div>
        ))}
      </div>
    </Context.Provider>
  );
}
