import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Failure } from './states.js';

/**
 * A refusal in a dialog, brought into view where the dialog is longer than the window.
 *
 * @param props.failure - nothing is shown where it is undefined
 * @param props.children - what to do about it in this dialog
 */
export function DialogFailure(props: {
  readonly what: string;
  readonly failure: unknown;
  readonly children?: ComponentChildren;
}): JSX.Element | null {
  const { what, failure, children } = props;
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => element.current?.scrollIntoView({ block: 'nearest' }), [failure]);
  if (failure === undefined) return null;
  return (
    <div ref={element}>
      <Failure what={what} failure={failure} />
      {children}
    </div>
  );
}
