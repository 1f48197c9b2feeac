import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { Button, IconButton } from './button.js';

/** Where the focus begins: in the first field, or at what changes nothing. */
const FIRST = '.dialog-body :is(input, select, textarea):enabled, .dialog-foot button';

/**
 * A dialog over the page, open for as long as it is rendered. The browser keeps the focus within it; afterwards it is where it was.
 *
 * @param props.confirm - text of the button that does it; without it, the dialog only shows something
 * @param props.onConfirm - also called by the Enter key in a field
 */
export function Dialog(props: {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
  readonly confirm?: string;
  readonly onConfirm?: () => void;
  readonly isDanger?: boolean;
  readonly isBusy?: boolean;
  readonly isDisabled?: boolean;
  readonly isWide?: boolean;
}): JSX.Element {
  const { title, onClose, children, confirm, onConfirm, isDanger, isBusy, isDisabled, isWide } = props;
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    dialog?.showModal();
    dialog?.querySelector<HTMLElement>(FIRST)?.focus();
    return () => {
      dialog?.close();
      // The browser gives the focus back only where the dialog is still in the document when it is closed.
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  const cancel = (event: Event): void => {
    event.preventDefault();
    onClose();
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    if (isBusy !== true && isDisabled !== true) onConfirm?.();
  };
  return (
    <dialog ref={element} class={isWide === true ? 'wide' : ''} aria-labelledby={titleId} onCancel={cancel}>
      <form onSubmit={submit} noValidate>
        <header class="dialog-head">
          <h2 id={titleId}>{title}</h2>
          <IconButton icon="close" label="Close" onClick={onClose} />
        </header>
        <div class="dialog-body">{children}</div>
        <footer class="dialog-foot">
          <Button onClick={onClose}>{confirm === undefined ? 'Close' : 'Cancel'}</Button>
          {confirm !== undefined && (
            <Button
              type="submit"
              kind={isDanger === true ? 'danger' : 'primary'}
              isBusy={isBusy === true}
              isDisabled={isDisabled === true}
            >
              {confirm}
            </Button>
          )}
        </footer>
      </form>
    </dialog>
  );
}
