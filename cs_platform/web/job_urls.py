from django.urls import path

from cs_platform.web import jobs

app_name = "jobs"
urlpatterns = [
    path("", jobs.job_list, name="list"),
    path("<int:pk>/", jobs.job_page, name="detail"),
    path("<int:pk>/strip/", jobs.job_strip, name="strip"),
    path("<int:pk>/cancel/", jobs.cancel_job, name="cancel"),
    path("<int:pk>/undo/", jobs.undo_job, name="undo"),
    path("<int:pk>/file/", jobs.job_file, name="file"),
]
