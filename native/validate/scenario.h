// What the program can be asked to do with a module. Each scenario says what it saw and judges nothing.
#pragma once

#include "token.h"

namespace keyferry_validate {

// Ill-formed calls, each a case of its own; `from` is the first, so that a run can go on behind a case that crashed.
void null_pointers(Token& token, const Arguments& arguments);
void wrapped_blobs(Token& token, const Arguments& arguments);
void templates(Token& token, const Arguments& arguments);

// The order and the buffers of calls.
void buffers(Token& token, const Arguments& arguments);
void unavailable_attributes(Token& token, const Arguments& arguments);
void call_order(Token& token, const Arguments& arguments);
void initialisation(Token& token, const Arguments& arguments);
void logins(Token& token, const Arguments& arguments);

// Initialises an empty token under `label`, with so-pin-kind and so-pin-where.
void fresh_token(Token& token, const Arguments& arguments);

// Processes: a fork, work until somebody kills this process, and what such work has left.
void forked(Token& token, const Arguments& arguments);
void mortal(Token& token, const Arguments& arguments);
void inspection(Token& token, const Arguments& arguments);

// Many sessions, objects and threads.
void session_limit(Token& token, const Arguments& arguments);
void object_leak(Token& token, const Arguments& arguments);
void threads(Token& token, const Arguments& arguments);
void finding(Token& token, const Arguments& arguments);

// How long sessions and logins take.
void session_times(Token& token, const Arguments& arguments);
void login_times(Token& token, const Arguments& arguments);

}  // namespace keyferry_validate
