import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Problem } from '../api/api.ts';
import { Refusal } from './basics.tsx';
import { Dialog } from './dialog.tsx';

interface FormDialogProps {
  title: string;
  /** What the button says that sends it. */
  verb: string;
  isDangerous?: boolean;
  children: ComponentChildren;
  /**
   * Sends it, and the window closes; what it throws is shown above the fields. False keeps the window open: there is
   * something to be read first.
   */
  onSend(fields: FormData): Promise<boolean | undefined>;
  /** Something was changed in the form. */
  onChange?(): void;
  onClose(): void;
}

/** A window with a form. */
export function FormDialog(props: FormDialogProps) {
  const { title, verb, isDangerous = false, children, onSend, onChange, onClose } = props;
  const [problem, setProblem] = useState<Problem>();
  const [isBusy, setIsBusy] = useState(false);
  async function submitted(event: SubmitEvent) {
    event.preventDefault();
    setIsBusy(true);
    try {
      const isSent = await onSend(new FormData(event.currentTarget as HTMLFormElement));
      if (isSent !== false) return onClose();
      setProblem(undefined);
    } catch (error) {
      setProblem(error as Problem);
    }
    setIsBusy(false);
  }
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submitted} onInput={onChange}>
        {problem && <Refusal problem={problem} />}
        <div class="dialog-body">{children}</div>
        <div class="dialog-actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class={isDangerous ? 'danger' : 'primary'} disabled={isBusy}>
            {verb}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
