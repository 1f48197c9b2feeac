import type { ComponentChildren, JSX } from 'preact';
import { Icon, type IconName } from './icon.js';

interface ButtonProps {
  readonly children: ComponentChildren;
  readonly onClick?: () => void;
  /** `primary`: the one thing that the page is for; `danger`: what cannot be taken back. */
  readonly kind?: 'normal' | 'primary' | 'danger' | 'plain';
  readonly icon?: IconName;
  readonly type?: 'button' | 'submit';
  readonly isDisabled?: boolean;
  /** In a row of a table. */
  readonly isSmall?: boolean;
  /** Shows that work is going on, and takes no second click. */
  readonly isBusy?: boolean;
  /** Why it is disabled, or what it does beyond its text. */
  readonly title?: string;
}

/** A button with a text. */
export function Button(props: ButtonProps): JSX.Element {
  const { children, onClick, kind = 'normal', icon, type = 'button', isDisabled, isSmall, isBusy, title } = props;
  return (
    <button
      type={type}
      class={`button ${kind}${isSmall === true ? ' small' : ''}`}
      onClick={onClick}
      disabled={isDisabled === true || isBusy === true}
      aria-busy={isBusy === true}
      title={title}
    >
      {icon !== undefined && <Icon name={icon} />}
      {children}
    </button>
  );
}

/** A button that is a picture; its name is told to those who do not see it. */
export function IconButton(props: {
  readonly icon: IconName;
  readonly label: string;
  readonly onClick: () => void;
  readonly isDisabled?: boolean;
}): JSX.Element {
  const { icon, label, onClick, isDisabled } = props;
  return (
    <button type="button" class="icon-button" aria-label={label} title={label} onClick={onClick} disabled={isDisabled}>
      <Icon name={icon} />
    </button>
  );
}
