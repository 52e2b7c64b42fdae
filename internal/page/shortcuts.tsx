import { useEffect, useRef, useState } from 'preact/hooks';
import { goTo } from './lib/use-route.ts';
import { Dialog } from './parts/dialog.tsx';
import type { Place } from './views/all.ts';

const TOGETHER_MS = 1_500;

/** The keys of the page, and the list of them. They do nothing while somebody types. */
export function Shortcuts({ places }: { places: readonly Place[] }) {
  const [isShown, setIsShown] = useState(false);
  const wentAt = useRef(Number.NEGATIVE_INFINITY);
  // What the navigation shows is there for the keys at once, and not when the effects of the drawing have run.
  const shown = useRef(places);
  shown.current = places;
  useEffect(() => {
    function pressed(event: KeyboardEvent) {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const place = shown.current.find(({ key }) => key === event.key);
      if (event.key === '?') setIsShown(true);
      else if (event.key === 'g') wentAt.current = performance.now();
      else if (event.key === '/') searchField(event);
      else if (place !== undefined && performance.now() - wentAt.current < TOGETHER_MS) goTo([place.id]);
    }
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, []);
  return isShown ? <KeyList places={places} onClose={() => setIsShown(false)} /> : null;
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('input, textarea, select, dialog') !== null;
}

function searchField(event: KeyboardEvent): void {
  const field = document.querySelector<HTMLInputElement>('[data-search]');
  if (field === null) return;
  event.preventDefault();
  field.focus();
}

function KeyList({ places, onClose }: { places: readonly Place[]; onClose(): void }) {
  const rows: readonly (readonly [string, string])[] = [
    ['/', 'Search in this view'],
    ...places.map(({ key, name }) => [`g ${key}`, name] as const),
    ['↑ ↓', 'Move in the tree of topics'],
    ['→ ←', 'Open and close a level'],
    ['Enter', 'Show the topic'],
    ['Ctrl Enter', 'Publish'],
    ['p', 'Pause or go on, while following'],
    ['Escape', 'Close a window'],
    ['?', 'This list'],
  ];
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl class="keys">
        {rows.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              {keys.split(' ').map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <div class="dialog-actions">
        <button type="button" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
