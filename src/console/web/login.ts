// The secret is behind the `#`: no server and no log has seen it, and a program that looks links up in advance does not spend it.
const login = location.hash.slice(1);
history.replaceState(null, '', '/login');

if (login !== '') {
  const message = document.querySelector('#message');
  try {
    const response = await fetch('/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-keyferry-console': '1' },
      body: JSON.stringify({ login }),
    });
    if (response.ok) location.replace('/');
    else if (message !== null) message.textContent = ((await response.json()) as { message: string }).message;
  } catch {
    if (message !== null) message.textContent = 'The console does not answer. Does the lab still run?';
  }
} else {
  // Logged in meanwhile, in another window: this page is not needed.
  const response = await fetch('/api/lab').catch(() => undefined);
  if (response?.ok === true) location.replace('/');
}

export {};
