import type { ComponentChildren } from 'preact';
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { useNotices } from './notices.tsx';

interface DialogProps {
  title: string;
  children: ComponentChildren;
  onClose(): void;
}

/** A window above the page. The browser keeps the focus in it, closes it with Escape, and gives the focus back. */
export function Dialog({ title, children, onClose }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const heading = useId();
  // Before it is drawn: a key that is pressed at once is for the window.
  useLayoutEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement as HTMLElement | null;
    dialog?.showModal();
    return () => {
      dialog?.close();
      before?.focus?.();
    };
  }, []);
  return (
    <dialog ref={ref} aria-labelledby={heading} onCancel={onClose} onClose={onClose}>
      <h2 id={heading}>{title}</h2>
      {children}
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  children: ComponentChildren;
  /** What the button says that does it. */
  verb: string;
  /** Said when it is done. */
  done: string;
  act(): Promise<unknown>;
  onClose(): void;
}

/** Asks before something is done that cannot be undone. What it is in doubt about has the focus: to do nothing. */
export function Confirm({ title, children, verb, done, act, onClose }: ConfirmProps) {
  const [isBusy, setIsBusy] = useState(false);
  const notices = useNotices();
  const cancel = useRef<HTMLButtonElement>(null);
  useEffect(() => cancel.current?.focus(), []);
  async function confirmed() {
    setIsBusy(true);
    try {
      await act();
      notices.done(done);
    } catch (error) {
      notices.failed(error);
    }
    onClose();
  }
  return (
    <Dialog title={title} onClose={onClose}>
      <div class="dialog-body">{children}</div>
      <div class="dialog-actions">
        <button type="button" ref={cancel} onClick={onClose}>
          Cancel
        </button>
        <button type="button" class="danger" disabled={isBusy} onClick={confirmed}>
          {verb}
        </button>
      </div>
    </Dialog>
  );
}
